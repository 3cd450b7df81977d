package install

import (
	"bytes"
	"encoding/binary"
	"encoding/xml"
	"errors"
	"flag"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"unicode/utf16"
)

var update = flag.Bool("update", false, "write the golden files")

var program = Program{Path: "/opt/tsunagu card/cardagent", Args: []string{"-config", `/srv/花子/100% "$mine"/a\b.json`}}

var windowsProgram = Program{Path: `C:\Program Files\Tsunagu\cardagent.exe`, Args: []string{"-config", `C:\Users\花子\it's mine\card.json`}}

// golden compares with a file that a person has read.
func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	path := filepath.Join("testdata", name+".golden")
	if *update {
		if err := os.WriteFile(path, got, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("%s:\n%s\nwant\n%s", name, got, want)
	}
}

func folders(t *testing.T) Folders {
	t.Helper()
	dir := t.TempDir()
	return Folders{Data: filepath.Join(dir, "data"), Config: filepath.Join(dir, "config")}
}

func apply(t *testing.T, files []File) (states []State) {
	t.Helper()
	for _, f := range files {
		s, err := f.State()
		if err == nil {
			err = f.Apply()
		}
		if err != nil {
			t.Fatal(err)
		}
		states = append(states, s)
	}
	return states
}

func forLinux(t *testing.T, p Program, f Folders) []File {
	t.Helper()
	files, err := ForLinux(p, f)
	if err != nil {
		t.Fatal(err)
	}
	return files
}

func TestLinuxFiles(t *testing.T) {
	f := folders(t)
	files := forLinux(t, program, f)
	golden(t, desktopFile, files[0].Content)
	golden(t, "mimeapps.list", files[1].Content)
	golden(t, unitFile, files[2].Content)
}

func TestDesktopFileIsValid(t *testing.T) {
	path, err := exec.LookPath("desktop-file-validate")
	if err != nil {
		t.Skip("not installed: desktop-file-utils")
	}
	files := forLinux(t, program, folders(t))
	apply(t, files)
	if out, err := exec.CommandContext(t.Context(), path, files[0].Path).CombinedOutput(); err != nil || len(out) > 0 {
		t.Errorf("desktop-file-validate: %v\n%s", err, out)
	}
}

func TestUnitIsValid(t *testing.T) {
	path, err := exec.LookPath("systemd-analyze")
	if err != nil {
		t.Skip("not installed: systemd")
	}
	complaints := func(text string) string {
		unit := filepath.Join(t.TempDir(), unitFile)
		if err := os.WriteFile(unit, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		cmd := exec.CommandContext(t.Context(), path, "verify", "--user", "--man=no", unit)
		cmd.Env = append(os.Environ(), "XDG_RUNTIME_DIR="+t.TempDir()) // without one it looks at nothing
		out, _ := cmd.CombinedOutput()                                 // other units' faults fail it, too
		var about strings.Builder
		for line := range strings.Lines(string(out)) {
			if strings.Contains(line, unitFile) {
				about.WriteString(line)
			}
		}
		return about.String()
	}
	// The program has to exist for it.
	exe := filepath.Join(t.TempDir(), "a $b %c", "cardagent")
	if err := errors.Join(os.MkdirAll(filepath.Dir(exe), 0o700), os.WriteFile(exe, []byte("#!/bin/sh\n"), 0o700)); err != nil {
		t.Fatal(err)
	}
	if said := complaints(service(Program{Path: exe, Args: program.Args})); said != "" {
		t.Errorf("systemd-analyze: %s", said)
	}
	if complaints("[Service]\nExecStart=no/absolute/path\n") == "" {
		t.Error("it says nothing of a broken unit, so its silence means nothing")
	}
}

func TestInstallingTwiceChangesNothingAndUninstallingLeavesNothing(t *testing.T) {
	f := folders(t)
	if link, start := f.Registered(); link || start {
		t.Error("registered before")
	}
	for i, want := range []State{New, Same} {
		for j, s := range apply(t, forLinux(t, program, f)) {
			if s != want {
				t.Errorf("time %d, file %d: %s, want %s", i, j, s, want)
			}
		}
	}
	if link, start := f.Registered(); !link || !start {
		t.Errorf("link %v, start %v", link, start)
	}
	moved := Program{Path: "/elsewhere/cardagent"}
	for j, s := range apply(t, forLinux(t, moved, f)) {
		if want := map[int]State{0: Changed, 1: Same, 2: Changed, 3: Same}[j]; s != want {
			t.Errorf("moved, file %d: %s, want %s", j, s, want)
		}
	}
	left, err := Uninstalled(f)
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range forLinux(t, moved, f) {
		if _, err := file.Remove(); err != nil {
			t.Error(err)
		}
	}
	apply(t, []File{left})
	err = filepath.WalkDir(filepath.Dir(f.Data), func(path string, d os.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			t.Errorf("%s is left", path)
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
	if link, start := f.Registered(); link || start {
		t.Error("still registered")
	}
	again, err := forLinux(t, moved, f)[0].Remove()
	if again || err != nil {
		t.Errorf("removed twice: %v, %v", again, err)
	}
}

// What others have written into the list stays where it is.
func TestAssociationsOfOthersStay(t *testing.T) {
	const mine = `# my list
[Default Applications]
text/html=firefox.desktop

[Added Associations]
x-scheme-handler/tsunagu-card=old.desktop;tsunagu-cardagent.desktop;
image/png=gimp.desktop;
[Removed Associations]
x-scheme-handler/tsunagu-card=bad.desktop;`
	const want = `# my list
[Default Applications]
x-scheme-handler/tsunagu-card=tsunagu-cardagent.desktop;
text/html=firefox.desktop

[Added Associations]
x-scheme-handler/tsunagu-card=tsunagu-cardagent.desktop;old.desktop;
image/png=gimp.desktop;
[Removed Associations]
x-scheme-handler/tsunagu-card=bad.desktop;`
	got := associate(mine)
	if got != want {
		t.Errorf("%s\nwant\n%s", got, want)
	}
	if associate(got) != got || !associated(got) || associated(mine) {
		t.Error("not the same the second time")
	}
	if got = dissociate(got); got != strings.Replace(mine, "tsunagu-cardagent.desktop;", "", 1) {
		t.Errorf("taken out: %s", got)
	}
}

// A list that is kept elsewhere, as people do who keep their settings in a repository, stays a link, and who may read it stays as it was.
func TestListOfOthersStaysWhereItIsKept(t *testing.T) {
	f := folders(t)
	kept := filepath.Join(t.TempDir(), "mimeapps.list")
	if err := os.WriteFile(kept, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(f.Config, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(kept, f.associationsFile()); err != nil {
		t.Fatal(err)
	}
	check := func(ours bool) {
		t.Helper()
		if to, err := os.Readlink(f.associationsFile()); err != nil || to != kept {
			t.Errorf("the link became %q, %v", to, err)
		}
		b, err := os.ReadFile(kept)
		if err != nil || associated(string(b)) != ours {
			t.Errorf("%s, %v", b, err)
		}
		if info, err := os.Stat(kept); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%v, %v", info, err)
		}
	}
	apply(t, forLinux(t, program, f))
	check(true)
	left, err := Uninstalled(f)
	if err != nil {
		t.Fatal(err)
	}
	apply(t, []File{left})
	check(false)
}

// xdg-mime is what the desktop itself asks.
func TestTheDesktopFindsUs(t *testing.T) {
	tool, err := exec.LookPath("xdg-mime")
	if err != nil || runtime.GOOS != "linux" {
		t.Skip("not installed: xdg-utils")
	}
	f := folders(t)
	apply(t, forLinux(t, program, f))
	cmd := exec.CommandContext(t.Context(), tool, "query", "default", mimeType)
	cmd.Env = append(os.Environ(), "HOME="+t.TempDir(), "XDG_DATA_HOME="+f.Data, "XDG_CONFIG_HOME="+f.Config, "XDG_DATA_DIRS=/nowhere",
		"XDG_CURRENT_DESKTOP=", "DE=generic")
	out, err := cmd.Output()
	if strings.TrimSpace(string(out)) != desktopFile {
		t.Errorf("%q, %v", out, err)
	}
}

func wellFormed(t *testing.T, f File) {
	t.Helper()
	for d := xml.NewDecoder(bytes.NewReader(f.Content)); ; {
		if _, err := d.Token(); errors.Is(err, io.EOF) {
			return
		} else if err != nil {
			t.Fatalf("%s: %v", f.Path, err)
		}
	}
}

func TestMacOSFiles(t *testing.T) {
	strange := Program{Path: "/Users/花子/A & B <c>/cardagent", Args: []string{"-config", `/Users/花子/"x"\y.json`}}
	files, err := ForMacOS(strange, "/out/")
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		golden(t, filepath.Base(f.Path), f.Content)
		switch filepath.Ext(f.Path) {
		case ".plist":
			wellFormed(t, f)
		case ".sh":
			cmd := exec.CommandContext(t.Context(), "sh", "-n")
			cmd.Stdin = bytes.NewReader(f.Content)
			if out, err := cmd.CombinedOutput(); err != nil {
				t.Errorf("%s: %v %s", f.Path, err, out)
			}
		}
	}
	var agent struct {
		Strings []string `xml:"dict>array>string"`
	}
	if err := xml.Unmarshal(files[0].Content, &agent); err != nil || len(agent.Strings) != 3 || agent.Strings[0] != strange.Path || agent.Strings[2] != strange.Args[1] {
		t.Errorf("%+v, %v", agent, err)
	}
	var types struct {
		Schemes []string `xml:"array>dict>array>string"`
	}
	if err := xml.Unmarshal(files[2].Content, &types); err != nil || len(types.Schemes) != 1 || types.Schemes[0] != Scheme {
		t.Errorf("%+v, %v", types, err)
	}
}

// reg reads a .reg file: key → name → string.
func reg(t *testing.T, b []byte) map[string]map[string]string {
	t.Helper()
	if len(b)%2 != 0 || !bytes.HasPrefix(b, []byte{0xFF, 0xFE}) {
		t.Fatal("not UTF-16 with its mark")
	}
	var units []uint16
	for i := 2; i < len(b); i += 2 {
		units = append(units, binary.LittleEndian.Uint16(b[i:]))
	}
	lines := strings.Split(string(utf16.Decode(units)), "\r\n")
	if lines[0] != "Windows Registry Editor Version 5.00" {
		t.Fatalf("%q", lines[0])
	}
	out, key := map[string]map[string]string{}, ""
	unquote := strings.NewReplacer(`\\`, `\`, `\"`, `"`)
	for _, line := range lines[1:] {
		switch {
		case line == "":
		case strings.HasPrefix(line, "["):
			key = strings.Trim(line, "[]")
			out[key] = map[string]string{}
		default:
			name, value, ok := strings.Cut(line, "=")
			if !ok {
				t.Fatalf("%q", line)
			}
			if len(value) > 1 {
				value = unquote.Replace(value[1 : len(value)-1])
			}
			out[key][strings.Trim(name, `"`)] = value
		}
	}
	return out
}

func TestWindowsFiles(t *testing.T) {
	files, err := ForWindows(windowsProgram, "out")
	if err != nil {
		t.Fatal(err)
	}
	got := reg(t, files[0].Content)
	if _, ok := got[classKey]["URL Protocol"]; !ok {
		t.Error("no URL Protocol")
	}
	if want := `"C:\Program Files\Tsunagu\cardagent.exe" open "-config" "C:\Users\花子\it's mine\card.json" -- "%1"`; got[classKey+`\shell\open\command`]["@"] != want {
		t.Errorf("%s", got[classKey+`\shell\open\command`]["@"])
	}
	if want := `powershell.exe -NoProfile -WindowStyle Hidden -Command Start-Process -WindowStyle Hidden -FilePath ` +
		`'C:\Program Files\Tsunagu\cardagent.exe' -ArgumentList '\"-config\" \"C:\Users\花子\it''s mine\card.json\"'`; got[runKey][name] != want {
		t.Errorf("%s", got[runKey][name])
	}
	// What a shell would put in place of %1 is not in our part of the line, and a backslash at an end does not swallow the quotation mark.
	if files, err = ForWindows(Program{Path: `C:\cardagent.exe`, Args: []string{"-cards", `D:\`}}, "out"); err != nil {
		t.Fatal(err)
	}
	if want, line := `-ArgumentList '\"-cards\" \"D:\\\\\"'`, reg(t, files[0].Content)[runKey][name]; !strings.HasSuffix(line, want) {
		t.Errorf("%s, want %s", line, want)
	}
	gone := reg(t, files[1].Content)
	if _, ok := gone["-"+classKey]; !ok || gone[runKey][name] != "-" {
		t.Errorf("%+v", gone)
	}
}

func TestWhatCannotBeWrittenIsRefused(t *testing.T) {
	for _, p := range []Program{
		{}, {Path: "cardagent"}, {Path: "/a\nb"}, {Path: "/a", Args: []string{"x\ny"}}, {Path: `C:\a`},
	} {
		if _, err := ForLinux(p, folders(t)); err == nil {
			t.Errorf("%+v was taken for Linux", p)
		}
		if _, err := ForMacOS(p, "x"); err == nil {
			t.Errorf("%+v was taken for macOS", p)
		}
	}
	for _, p := range []Program{{Path: "/a"}, {Path: `C:\a`, Args: []string{`"`}}, {Path: "C:\\a\r\nb"}, {Path: `C:\a%1`}} {
		if _, err := ForWindows(p, "x"); err == nil {
			t.Errorf("%+v was taken for Windows", p)
		}
	}
	if _, err := ParseSystem("plan9"); err == nil {
		t.Error("plan9")
	}
}

// FuzzAssociations: whatever the list was, we are in it once in each section, and taking us out again leaves nothing of us where we
// stood.
func FuzzAssociations(f *testing.F) {
	f.Add("[Default Applications]\ntext/html=a.desktop\n")
	f.Add("[Added Associations]\n" + mimeType + "=x;tsunagu-cardagent.desktop;;\n[Default Applications]")
	f.Add("junk\r\n[")
	f.Fuzz(func(t *testing.T, list string) {
		got := associate(list)
		if !associated(got) || associate(got) != got {
			t.Fatalf("%q became %q", list, got)
		}
		if out := dissociate(got); associated(out) || dissociate(out) != out {
			t.Fatalf("%q left %q", got, out)
		}
	})
}
