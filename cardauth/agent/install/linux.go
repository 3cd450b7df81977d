package install

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

const (
	desktopFile = name + ".desktop"
	unitFile    = name + ".service"
	mimeType    = "x-scheme-handler/" + Scheme
)

// ForLinux is what has to be there for the program: a desktop file and its association with the link type, and a service of the user's
// that starts at login.
func ForLinux(p Program, f Folders) ([]File, error) {
	if err := p.check(Linux); err != nil {
		return nil, err
	}
	associations, err := f.associations()
	if err != nil {
		return nil, err
	}
	unit := filepath.Join(f.Config, "systemd", "user", unitFile)
	return []File{
		{Path: filepath.Join(f.Data, "applications", desktopFile), Content: []byte(desktop(p))},
		{Path: f.associationsFile(), Content: []byte(associate(associations)), Shared: true},
		{Path: unit, Content: []byte(service(p))},
		// What `systemctl --user enable` does, also where no service manager runs yet.
		{Path: filepath.Join(f.Config, "systemd", "user", "default.target.wants", unitFile), Link: unit},
	}, nil
}

// Uninstalled is what is left of the shared files without us.
func Uninstalled(f Folders) (File, error) {
	associations, err := f.associations()
	return File{Path: f.associationsFile(), Content: []byte(dissociate(associations)), Shared: true}, err
}

func (f Folders) associationsFile() string { return filepath.Join(f.Config, "mimeapps.list") }

func (f Folders) associations() (string, error) {
	b, err := os.ReadFile(f.associationsFile())
	if errors.Is(err, fs.ErrNotExist) {
		return "", nil
	}
	return string(b), err
}

// Registered says whether the link type leads to us and whether the card app starts at login.
func (f Folders) Registered() (link, start bool) {
	associations, err := f.associations()
	_, missing := os.Stat(filepath.Join(f.Data, "applications", desktopFile))
	link = err == nil && missing == nil && associated(associations)
	_, err = os.Stat(filepath.Join(f.Config, "systemd", "user", "default.target.wants", unitFile))
	return link, err == nil
}

// desktop is the desktop file (Desktop Entry Specification 1.4). %u is one link.
func desktop(p Program) string {
	return "[Desktop Entry]\n" +
		"Type=Application\n" +
		"Version=1.4\n" +
		"Name=Card app\n" +
		"Name[ja]=カードアプリ\n" +
		"Comment=Sign in with your My Number Card\n" +
		"Comment[ja]=マイナンバーカードでログインする\n" +
		"Exec=" + execLine(p) + "\n" +
		"Terminal=false\n" +
		"NoDisplay=false\n" +
		"StartupNotify=false\n" +
		"Categories=Settings;Security;\n" +
		"MimeType=" + mimeType + ";\n"
}

// execLine opens a link. It quotes as the specification asks: each argument in quotes, and the whole once more as a string of the file.
func execLine(p Program) string {
	quote := strings.NewReplacer(`"`, `\"`, "`", "\\`", "$", `\$`, `\`, `\\`)
	quoted := func(arg string) string { return `"` + quote.Replace(strings.ReplaceAll(arg, "%", "%%")) + `"` }
	out := []string{quoted(p.Path), "open"}
	for _, arg := range p.Args {
		out = append(out, quoted(arg))
	}
	return strings.ReplaceAll(strings.Join(append(out, "--", "%u"), " "), `\`, `\\`)
}

// service is the unit of the user's service manager. It keeps the program from everything it does not need; windows for the PIN and
// card readers need sockets of the system, hubs need the network. What it restricts works without a name space of its own, so that it
// works for every user. A PIN never gets into a core dump.
func service(p Program) string {
	return "[Unit]\n" +
		"Description=Card app (My Number Card)\n" +
		"Documentation=man:systemd.service(5)\n" +
		"\n" +
		"[Service]\n" +
		"ExecStart=" + unitLine(p) + "\n" +
		"Restart=on-failure\n" +
		"RestartSec=5\n" +
		"RestartPreventExitStatus=2 6\n" +
		"UMask=0077\n" +
		"LimitCORE=0\n" +
		"NoNewPrivileges=yes\n" +
		"LockPersonality=yes\n" +
		"MemoryDenyWriteExecute=yes\n" +
		"RestrictAddressFamilies=AF_UNIX AF_INET AF_INET6\n" +
		"RestrictNamespaces=yes\n" +
		"RestrictRealtime=yes\n" +
		"RestrictSUIDSGID=yes\n" +
		"SystemCallArchitectures=native\n" +
		"SystemCallFilter=@system-service\n" +
		"\n" +
		"[Install]\n" +
		"WantedBy=default.target\n"
}

// unitLine quotes for ExecStart (systemd.service(5), COMMAND LINES): % is doubled, and $ in arguments, but not in the program's path, where
// nothing is substituted.
func unitLine(p Program) string {
	quote := strings.NewReplacer(`\`, `\\`, `"`, `\"`, "%", "%%")
	out := []string{`"` + quote.Replace(p.Path) + `"`}
	for _, arg := range p.Args {
		out = append(out, `"`+strings.ReplaceAll(quote.Replace(arg), "$", "$$")+`"`)
	}
	return strings.Join(out, " ")
}
