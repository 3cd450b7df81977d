// Package conf reads configuration files: one JSON file per program, decoded strictly.
//
// Strict means that a file says exactly what the program will do: an unknown key, a key in another case, a key that stands
// twice, null, a value of the wrong type, or anything after the end is an error, and the error names the key by its path, such
// as clients[2].redirect_uris. Secrets do not stand in configuration files; they name a file, [SecretFile].
//
// It refuses to know what is configured. Values that the file leaves out keep what they had before, which is how programs set
// their defaults.
package conf
