/** A phrase that no text of this project uses any more. */
export interface RetiredPhrase {
  readonly pattern: RegExp
  /** What to write. */
  readonly instead: string
  /** A sentence with it, as it was once. */
  readonly example: string
}

/** Phrases that read as if translated, and what to write. A pattern finds the phrase, not its innocent words. */
export const retiredPhrases: readonly RetiredPhrase[] = [
  {
    pattern: /\bbeside (?:those who|the writers|writers|others)\b/i,
    instead: 'without blocking writes',
    example: 'It is built beside those who write.',
  },
  { pattern: /\bbeside\b/i, instead: 'next to, in addition to, outside', example: 'The lock is beside the table.' },
  {
    pattern: /\b(?:mends?|mended|mending)\b/i,
    instead: 'fix, repair, recover',
    example: 'Mend the cause, then run it again.',
  },
  {
    pattern: /\b(?:somebody|nobody|anybody|everybody)\b/i,
    instead: 'another session, no one, other processes',
    example: 'Somebody else is migrating.',
  },
  { pattern: /\bwho(?:ever|m?soever)\b/i, instead: 'the session that, anyone', example: 'Whoever waits looks again.' },
  { pattern: /\bwho come(?:s)? later\b/i, instead: 'later queries', example: 'All who come later wait behind it.' },
  {
    pattern: /\b(?:stands?|stood|standing|lies|is|are|be) in (?:the|its|their|your) way\b/i,
    instead: 'conflicts with, blocks',
    example: 'It says what stands in the way.',
  },
  { pattern: /\banew\b/i, instead: 'again', example: 'The table is written anew.' },
  { pattern: /\ball the same\b/i, instead: 'anyway', example: 'The index is built all the same.' },
  { pattern: /\blets? (?:it|them|him) be\b/i, instead: 'leave', example: 'It lets them be.' },
  { pattern: /\bat hand\b/i, instead: 'available', example: 'No terminal is at hand.' },
  {
    pattern:
      /\b(?:taken?|takes|took|mistakes?|mistaken) [^.;,]{1,40}? for (?:a|an|one|its|the|pgvector)\b(?! (?:run|while|long|short|query|moment))/i,
    instead: 'treat X as Y',
    example: 'Stock Knex takes it for a migration.',
  },
  {
    pattern: /\b(?:keeps?|on|of|by) (?:the )?signs\b/i,
    instead: 'binary quantization',
    example: 'An index that keeps signs takes more candidates.',
  },
  {
    pattern: /\b(?:very|same) words\b/i,
    instead: 'the same expression as the index',
    example: 'The query is in the very words of the index.',
  },
  {
    pattern: /\b(?:the|its|your) very (?:host|major|expression|version)\b/i,
    instead: 'your provider, the exact version',
    example: 'The next command for the very host you are on.',
  },
  { pattern: /\bis made of it\b/i, instead: 'created, generated from it', example: 'The file that is made of it.' },
  {
    pattern: /\b(?:run|runs|process|runner) that (?:lives?|lived|died|dies)\b|\bliving run\b/i,
    instead: 'a running migration, a crashed run',
    example: 'The lock of a run that died.',
  },
  {
    pattern: /\bprocess (?:\d+|\$\{[^}]*\}|[^ ]+) of the server\b/i,
    instead: 'backend PID 12',
    example: 'process 12 of the server held it',
  },
  {
    pattern: /\b(?:fills?|filling) (?:a column|the column|a table|it with backfill|\[?it\]?\(backfill)/i,
    instead: 'backfill',
    example: 'Filling a column, and changing the model',
  },
  {
    pattern: /\bnot as (?:it is )?declared\b/i,
    instead: 'drift from the declaration',
    example: 'It shows what is not as declared.',
  },
  {
    pattern: /\b(?:is|are|be|been|was|were) kept waiting\b/i,
    instead: 'waits, is blocked',
    example: 'No one is kept waiting behind it.',
  },
  {
    pattern: /\bleave[s]? (?:these|them|this one|\d+|--env|it) out\b|\bleft out\b/i,
    instead: 'skip, omit',
    example: 'Pending migrations that were left out.',
  },
  {
    pattern: /\bundo(?:es|ing|ne)? (?:\w+ )?migrations?\b|\bmay be undone\b|\bwould be undone\b/i,
    instead: 'roll back',
    example: 'undo migrations, newest first',
  },
  {
    pattern: /\b(?:is|are|exists and is) another one\b/i,
    instead: 'has a different definition',
    example: 'Index x exists and is another one.',
  },
  {
    pattern: /\b(?:is|was|are|were|be) told\b|\b(?:tells|told) (?:of|what|which|who|apart|that|you|how|whether|why)\b/i,
    instead: 'report, show, return, print',
    example: 'What was found is told first.',
  },
  {
    pattern: /\bmore than one \w+ is meant\b/i,
    instead: '"00" matches more than one',
    example: 'More than one migration is meant by 00.',
  },
  { pattern: /\bjudges?\b/i, instead: 'check', example: 'Judges the SQL of pending migrations.' },
  {
    pattern: /\btaken out of\b|\btake the \w+ (?:or \w+ )?out of\b/i,
    instead: 'remove from; passwords are redacted',
    example: 'Passwords are taken out of messages.',
  },
  {
    pattern: /\bnot to be had\b|\bcannot do without\b/i,
    instead: 'not available, needed',
    example: 'The lock was not to be had.',
  },
  { pattern: /\bnext to nothing\b/i, instead: 'almost no recall', example: 'It would find next to nothing.' },
  {
    pattern: /\bof (?:its|their|your|our|his) own making\b/i,
    instead: 'your own',
    example: 'A value of its own making.',
  },
  { pattern: /\b(?:did|does|do) not come to\b/i, instead: 'did not reach', example: 'What this run did not come to.' },
  {
    pattern: /\b(?:it|run|build|that|which|this|work|and|next|them) goes on\b/i,
    instead: 'continues',
    example: 'The next run goes on with the rest.',
  },
  {
    pattern: /\bgive (?:it )?up the wait\b|\bin the end, gives up\b/i,
    instead: 'stop waiting',
    example: 'To give up the wait.',
  },
]
