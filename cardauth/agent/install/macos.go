package install

import (
	"encoding/xml"
	"strings"
)

// ForMacOS is what `sh install.sh` in the same folder needs: the agent of the user's that starts at login (launchd.plist(5)), a small
// application that hands links on — macOS gives a link to an application as an event, not as an argument —, and what its Info.plist
// says about the link type. dir is where the files are written.
func ForMacOS(p Program, dir string) ([]File, error) {
	if err := p.check(MacOS); err != nil {
		return nil, err
	}
	files := []File{
		{Path: bundleID + ".plist", Content: []byte(launchAgent(p))},
		{Path: "open.applescript", Content: []byte(appleScript(p))},
		{Path: "url-types.plist", Content: []byte(urlTypes())},
		{Path: "install.sh", Content: []byte(macInstall)},
		{Path: "uninstall.sh", Content: []byte(macUninstall)},
	}
	return inFolder(files, dir), nil
}

func inFolder(files []File, dir string) []File {
	for i := range files {
		files[i].Path = strings.TrimSuffix(dir, "/") + "/" + files[i].Path
	}
	return files
}

const plistHead = `<?xml version="1.0" encoding="UTF-8"?>
<!DOCTYPE plist PUBLIC "-//Apple//DTD PLIST 1.0//EN" "http://www.apple.com/DTDs/PropertyList-1.0.dtd">
<plist version="1.0">
`

func plistString(s string) string {
	var b strings.Builder
	_ = xml.EscapeText(&b, []byte(s)) // a Builder does not fail
	return "<string>" + b.String() + "</string>"
}

func launchAgent(p Program) string {
	var args strings.Builder
	for _, arg := range append([]string{p.Path}, p.Args...) {
		args.WriteString("\t\t" + plistString(arg) + "\n")
	}
	return plistHead + "<dict>\n" +
		"\t<key>Label</key>\n\t" + plistString(bundleID) + "\n" +
		"\t<key>ProgramArguments</key>\n\t<array>\n" + args.String() + "\t</array>\n" +
		"\t<key>RunAtLoad</key>\n\t<true/>\n" +
		"\t<key>KeepAlive</key>\n\t<dict>\n\t\t<key>Crashed</key>\n\t\t<true/>\n\t</dict>\n" +
		"\t<key>ProcessType</key>\n\t" + plistString("Interactive") + "\n" +
		"\t<key>Umask</key>\n\t<integer>63</integer>\n" + // 0077
		"\t<key>HardResourceLimits</key>\n\t<dict>\n\t\t<key>Core</key>\n\t\t<integer>0</integer>\n\t</dict>\n" +
		"</dict>\n</plist>\n"
}

func urlTypes() string {
	return plistHead + "<array>\n\t<dict>\n" +
		"\t\t<key>CFBundleURLName</key>\n\t\t" + plistString(bundleID) + "\n" +
		"\t\t<key>CFBundleURLSchemes</key>\n\t\t<array>\n\t\t\t" + plistString(Scheme) + "\n\t\t</array>\n" +
		"\t</dict>\n</array>\n</plist>\n"
}

// appleScript hands a link to the program, quoted for the shell by the system.
func appleScript(p Program) string {
	quote := strings.NewReplacer(`\`, `\\`, `"`, `\"`)
	command := `quoted form of "` + quote.Replace(p.Path) + `"`
	for _, arg := range append(append([]string(nil), "open"), p.Args...) {
		command += ` & " " & quoted form of "` + quote.Replace(arg) + `"`
	}
	command += ` & " -- "`
	return "on open location theLink\n\tdo shell script " + command + " & quoted form of theLink\nend open location\n"
}

const macInstall = `#!/bin/sh
# Makes this Mac know the card app: links, and start at login. Nothing of it needs an administrator.
set -eu
cd "$(dirname "$0")"
app="$HOME/Applications/Tsunagu Card.app"
mkdir -p "$HOME/Applications" "$HOME/Library/LaunchAgents"
osacompile -o "$app" open.applescript
plutil -replace CFBundleIdentifier -string ` + bundleID + `.link "$app/Contents/Info.plist"
plutil -remove CFBundleURLTypes "$app/Contents/Info.plist" 2>/dev/null || true
plutil -insert CFBundleURLTypes -xml "$(sed -e '/^<?xml/d' -e '/^<!DOCTYPE/d' -e '/^<plist/d' -e '/^<\/plist/d' url-types.plist)" "$app/Contents/Info.plist"
/System/Library/Frameworks/CoreServices.framework/Frameworks/LaunchServices.framework/Support/lsregister -f "$app"
cp ` + bundleID + `.plist "$HOME/Library/LaunchAgents/"
launchctl bootout "gui/$(id -u)/` + bundleID + `" 2>/dev/null || true
launchctl bootstrap "gui/$(id -u)" "$HOME/Library/LaunchAgents/` + bundleID + `.plist"
`

const macUninstall = `#!/bin/sh
# Takes away what install.sh made.
set -eu
launchctl bootout "gui/$(id -u)/` + bundleID + `" 2>/dev/null || true
rm -f "$HOME/Library/LaunchAgents/` + bundleID + `.plist"
rm -rf "$HOME/Applications/Tsunagu Card.app"
`
