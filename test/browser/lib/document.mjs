// What a page of the documentation shows, for tests that do what it says.
import { readFile } from 'node:fs/promises'
import path from 'node:path'
import { root } from './demo.mjs'

// chapters answers the document's chapters by their headings: their code, in order, and their tables' rows.
export async function chapters(name) {
  const all = new Map()
  let chapter, block
  for (const line of (await readFile(path.join(root, 'docs', name), 'utf8')).split('\n')) {
    const fence = /^```(\w*)$/.exec(line)
    if (block) {
      if (fence) block = undefined
      else block.text += line + '\n'
    } else if (fence) {
      block = { lang: fence[1], text: '' }
      chapter.code.push(block)
    } else if (/^##+ /.test(line)) {
      chapter = { code: [], rows: [] }
      all.set(line.replace(/^##+ /, ''), chapter)
    } else if (/^\| /.test(line)) {
      chapter.rows.push(line.slice(1, -1).split(' | ').map((cell) => cell.trim()))
    }
  }
  return all
}
