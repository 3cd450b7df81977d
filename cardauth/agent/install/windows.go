package install

import (
	"encoding/binary"
	"regexp"
	"strings"
	"unicode/utf16"
)

// ForWindows is what `reg import install.reg` takes: the link type and the start at login, both for the user alone
// (HKEY_CURRENT_USER). dir is where the files are written.
func ForWindows(p Program, dir string) ([]File, error) {
	if err := p.check(Windows); err != nil {
		return nil, err
	}
	return inFolder([]File{
		{Path: "install.reg", Content: regFile(registry(p))},
		{Path: "uninstall.reg", Content: regFile(unregistry)},
	}, dir), nil
}

const (
	classKey = `HKEY_CURRENT_USER\Software\Classes\` + Scheme
	runKey   = `HKEY_CURRENT_USER\Software\Microsoft\Windows\CurrentVersion\Run`
)

func registry(p Program) string {
	quoted := regString(commandLine(p, "open") + ` -- "%1"`)
	return "Windows Registry Editor Version 5.00\r\n\r\n" +
		"[" + classKey + "]\r\n" +
		"@=\"URL:Tsunagu card app\"\r\n" +
		"\"URL Protocol\"=\"\"\r\n\r\n" +
		"[" + classKey + `\shell\open\command]` + "\r\n" +
		"@=" + quoted + "\r\n\r\n" +
		"[" + runKey + "]\r\n" +
		"\"" + name + "\"=" + regString(hidden(p)) + "\r\n"
}

const unregistry = "Windows Registry Editor Version 5.00\r\n\r\n" +
	"[-" + classKey + "]\r\n\r\n" +
	"[" + runKey + "]\r\n" +
	"\"" + name + "\"=-\r\n"

// commandLine quotes for Windows (CommandLineToArgvW): no argument has a quotation mark, so only backslashes at the end of one are
// doubled. "open" comes before the arguments: it is the command they belong to.
func commandLine(p Program, command string) string {
	out := []string{`"` + p.Path + `"`}
	if command != "" {
		out = append(out, command)
	}
	for _, arg := range p.Args {
		end := len(arg) - len(strings.TrimRight(arg, `\`))
		out = append(out, `"`+arg+strings.Repeat(`\`, end)+`"`)
	}
	return strings.Join(out, " ")
}

// hidden starts the program without a console window. In a single-quoted string of PowerShell only the single quotation mark itself is
// special, and it knows several.
func hidden(p Program) string {
	quote := func(s string) string {
		for _, mark := range []string{"'", "\u2018", "\u2019", "\u201a", "\u201b"} {
			s = strings.ReplaceAll(s, mark, mark+mark)
		}
		return "'" + s + "'"
	}
	line := "powershell.exe -NoProfile -WindowStyle Hidden -Command Start-Process -WindowStyle Hidden -FilePath " + quote(p.Path)
	if len(p.Args) > 0 {
		// In one argument, because Start-Process joins several without quoting them; \" is a quotation mark inside a command line.
		arguments := strings.TrimPrefix(commandLine(p, ""), `"`+p.Path+`" `)
		line += " -ArgumentList " + escapedMarks(quote(arguments))
	}
	return line
}

// escapedMarks makes quotation marks part of an argument: \" for each, and twice the backslashes before it (CommandLineToArgvW).
func escapedMarks(s string) string {
	return regexp.MustCompile(`(\\*)"`).ReplaceAllString(s, `$1$1\"`)
}

// regString is a string of a .reg file.
func regString(s string) string {
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(s) + `"`
}

// regFile is a .reg file in the encoding that version 5.00 has: UTF-16, little end first, with its mark.
func regFile(text string) []byte {
	out := []byte{0xFF, 0xFE}
	for _, unit := range utf16.Encode([]rune(text)) {
		out = binary.LittleEndian.AppendUint16(out, unit)
	}
	return out
}
