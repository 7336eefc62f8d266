const MARKER = /<!-- help: npm run docs -->\n[\s\S]*?<!-- \/help -->/

/** A page with the help of the command line, where it has a place for it. */
export function withHelp(page: string, help: string): string {
  return page.replace(
    MARKER,
    () => `<!-- help: npm run docs -->\n\n\`\`\`text\n${help.trimEnd()}\n\`\`\`\n\n<!-- /help -->`,
  )
}
