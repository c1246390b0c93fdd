package tree

import (
	"bytes"
	"errors"
	"io"
	"regexp"

	"go.yaml.in/yaml/v3"
)

// A stanza reaches from its key to the next document or the end of the file.
var stanza = regexp.MustCompile(`(?ms)^sops:[ \t]*\r?\n.*?(?:\n(?:---[ \t]*\r?\n)|\z)`)

const placeholder = "sops:\n    unreadable: true\n"

// intactStanza is the content of a file, with a `sops` stanza that makes it no YAML replaced by one that
// says nothing. SOPS writes the stanza and takes it away again, and no build depends on what it says;
// copies of a repository without its cipher text often have a broken one.
func intactStanza(content []byte) ([]byte, bool) {
	if !bytes.Contains(content, []byte("sops:")) || !stanza.Match(content) || isYAML(content) {
		return content, false
	}
	repaired := stanza.ReplaceAllFunc(content, func(found []byte) []byte {
		if bytes.HasSuffix(bytes.TrimRight(found, " \t\r\n"), []byte("\n---")) {
			return []byte(placeholder + "---\n")
		}
		return []byte(placeholder)
	})
	if !isYAML(repaired) {
		return content, false
	}
	return repaired, true
}

func isYAML(content []byte) bool {
	decoder := yaml.NewDecoder(bytes.NewReader(content))
	for {
		var document yaml.Node
		if err := decoder.Decode(&document); err != nil {
			return errors.Is(err, io.EOF)
		}
	}
}
