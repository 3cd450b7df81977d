// Package sqldb opens the database that keeps promises, runs transactions on it and brings its tables up to date.
//
// It knows two databases, SQLite in one file and PostgreSQL, and refuses to know what is stored in them: every package that
// owns tables also owns their SQL and their migrations.
//
// # One SQL text
//
// Every statement is written once and runs on both databases. What may be written:
//
//   - Types: text, bigint, integer, boolean, bytea. SQLite gives a bytea column no conversion of its own, so bytes come back as
//     bytes. No date types: times are bigint Unix seconds (or milliseconds, and then the column is named …_ms), truncated on
//     the way in. No serial or identity columns: the owner chooses the key.
//   - Placeholders $1, $2, …, each as often and in any order. Never a value pasted into the text.
//   - INSERT … ON CONFLICT (columns) DO NOTHING or DO UPDATE SET … WHERE …, RETURNING, CASE, COALESCE, LIMIT, CREATE INDEX with
//     WHERE, foreign keys, CHECK. In DO UPDATE name the old value by its table (t.count) and the new one by excluded.count.
//   - Columns are listed, never *. Strings are quoted with '…', names are not quoted at all.
//
// What must not: SELECT … FOR UPDATE (lock with an UPDATE … RETURNING instead), ALTER TABLE beyond ADD COLUMN, RENAME and DROP,
// date functions, JSON operators, ILIKE, arrays, $1::type, PRAGMA, and NUL or invalid UTF-8 in text. A []byte argument is for a
// bytea column and a string for a text column; SQLite would store the mistake. An empty bytea may come back as a nil slice.
//
// Spending something once is a conditional UPDATE or DELETE whose row count is the verdict, or RETURNING without a row.
//
// # Transactions
//
// [DB.Tx] puts the transaction into the context it hands to fn, and Exec, Query and QueryRow find it there; that is the only
// thing carried so. A statement run with another context inside fn is outside the transaction, and on SQLite waits for it: do
// not do that. Inside a transaction read all rows, and close them, before the next statement.
//
// PostgreSQL gives up a transaction at the first statement that fails. SQLite would go on. So that what works on a developer's
// file works in production, sqldb gives it up on both: after a failed statement, or a nested Tx that failed, the outer one
// rolls back whatever fn returns. Use ON CONFLICT where a conflict is expected; [IsUnique] is for after the transaction.
//
// Isolation is what both offer: SQLite runs one writing transaction at a time, PostgreSQL runs READ COMMITTED. Decisions rest on
// conditional writes, not on something read earlier in the transaction.
//
// # SQLite
//
// One connection writes and several read. Writers queue in the process, for the one connection, so SQLITE_BUSY cannot come from
// within; another process is waited for up to ten seconds. Transactions are BEGIN IMMEDIATE and therefore never fail half-way
// for lack of the lock. A statement that begins with SELECT goes to a reader and sees the last commit; everything else goes to
// the writer. Prepared statements are kept per connection.
//
// WAL with synchronous=NORMAL: a killed process loses nothing that was committed; a machine that loses power may lose the last
// commits, in order, and never the consistency of the file. Installations to which that matters use PostgreSQL.
package sqldb
