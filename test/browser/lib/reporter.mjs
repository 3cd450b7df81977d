// Speaks the events of `go test -json`, so that one tally counts all tests of
// the project. What tests print is passed through.
import path from 'node:path'

const line = (event) => JSON.stringify({ Package: 'test/browser', ...event }) + '\n'

export default async function* reporter(source) {
  const names = [] // of the open suites and tests, by nesting
  for await (const { type, data } of source) {
    if (type === 'test:start') {
      names.length = data.nesting
      names[data.nesting] = data.name
    } else if (type === 'test:stdout' || type === 'test:stderr') {
      yield data.message.endsWith('\n') ? data.message : data.message + '\n'
    } else if (type === 'test:diagnostic' && data.nesting > 0) {
      yield `${data.message}\n`
    } else if (type === 'test:fail' && data.details?.type === 'suite') {
      const error = data.details.error // its tests are counted; a broken before or after is only told here
      if (error?.failureType === 'hookFailed') yield `${data.name}: ${error.cause?.stack ?? error.cause}\n`
    } else if ((type === 'test:pass' || type === 'test:fail') && data.details?.type !== 'suite') {
      const Test = [path.basename(data.file ?? ''), ...names.slice(0, data.nesting), data.name].join(' › ')
      const Elapsed = (data.details?.duration_ms ?? 0) / 1000
      if (data.skip !== undefined || data.todo !== undefined) {
        const reason = data.skip ?? data.todo
        yield line({ Action: 'output', Test, Output: `${typeof reason === 'string' && reason ? reason : 'no reason given'}\n` })
        yield line({ Action: 'skip', Test, Elapsed })
      } else if (type === 'test:pass') {
        yield `ok   ${Test} ${Elapsed.toFixed(1)}s\n`
        yield line({ Action: 'pass', Test, Elapsed })
      } else {
        const error = data.details?.error
        const cause = error?.cause ?? error
        yield line({ Action: 'output', Test, Output: `${Test}\n${cause?.stack ?? cause}\n` })
        yield line({ Action: 'fail', Test, Elapsed })
      }
    }
  }
}
