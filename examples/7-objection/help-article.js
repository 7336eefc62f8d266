const { Model } = require('objection')

class HelpArticle extends Model {
  static tableName = 'helpArticles'
  // Stored as text like [0.9,0.1,0], which is JSON: the model's property is an array of numbers.
  static jsonAttributes = ['titleEmbedding']
}

module.exports = { HelpArticle }
