package install

import "strings"

// The sections of mimeapps.list (MIME Applications Associations 1.0.1) that we stand in.
const (
	defaults = "[Default Applications]"
	added    = "[Added Associations]"
)

// associate puts us first for our link type in both sections, and leaves everything else as it is.
func associate(list string) string {
	for _, section := range []string{added, defaults} {
		others := without(list, section)
		list = insert(others, section, mimeType+"="+strings.Join(append([]string{desktopFile}, rest(list, section)...), ";")+";")
	}
	return list
}

// dissociate takes us out, and what is empty then.
func dissociate(list string) string {
	for _, section := range []string{added, defaults} {
		others, keep := without(list, section), rest(list, section)
		if len(keep) > 0 {
			others = insert(others, section, mimeType+"="+strings.Join(keep, ";")+";")
		}
		list = dropEmpty(others, section)
	}
	return list
}

// associated says whether we are the one that is used.
func associated(list string) bool {
	_, value, _ := find(list, defaults)
	first, _, _ := strings.Cut(value, ";")
	return strings.TrimSpace(first) == desktopFile
}

// find returns the first line of a section that speaks of our link type: its number and its value.
func find(list, section string) (at int, value string, ok bool) {
	in := false
	for i, line := range strings.Split(list, "\n") {
		trimmed := strings.TrimSpace(line)
		if strings.HasPrefix(trimmed, "[") {
			in = trimmed == section
			continue
		}
		if key, value, is := strings.Cut(trimmed, "="); in && is && strings.TrimSpace(key) == mimeType {
			return i, strings.TrimSpace(value), true
		}
	}
	return 0, "", false
}

// rest are the other programs for our link type, in their order.
func rest(list, section string) (others []string) {
	for {
		at, value, ok := find(list, section)
		if !ok {
			return others
		}
		for _, program := range strings.Split(value, ";") {
			if program = strings.TrimSpace(program); program != "" && program != desktopFile {
				others = append(others, program)
			}
		}
		list = dropLine(list, at)
	}
}

// without drops every line of a section that speaks of our link type.
func without(list, section string) string {
	for {
		at, _, ok := find(list, section)
		if !ok {
			return list
		}
		list = dropLine(list, at)
	}
}

func dropLine(list string, at int) string {
	lines := strings.Split(list, "\n")
	return strings.Join(append(lines[:at:at], lines[at+1:]...), "\n")
}

// insert puts a line at the head of a section, which is made at the end if there is none.
func insert(list, section, line string) string {
	lines := strings.Split(list, "\n")
	for i := range lines {
		if strings.TrimSpace(lines[i]) == section {
			return strings.Join(append(lines[:i+1:i+1], append([]string{line}, lines[i+1:]...)...), "\n")
		}
	}
	if list != "" && !strings.HasSuffix(list, "\n") {
		list += "\n"
	}
	return list + section + "\n" + line + "\n"
}

// dropEmpty drops a section in which nothing stands.
func dropEmpty(list, section string) string {
	lines := strings.Split(list, "\n")
	for i := range lines {
		if strings.TrimSpace(lines[i]) != section {
			continue
		}
		end := i + 1
		for end < len(lines) && strings.TrimSpace(lines[end]) == "" {
			end++
		}
		if end == len(lines) || strings.HasPrefix(strings.TrimSpace(lines[end]), "[") {
			return strings.Join(append(lines[:i:i], lines[end:]...), "\n")
		}
	}
	return list
}
