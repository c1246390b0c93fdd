package remote

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strconv"
	"strings"
)

// Clone is the files of one commit of a repository, in memory.
type Clone struct {
	Files   map[string][]byte
	Links   map[string]string
	Omitted map[string]string
}

const maxFile = 16 << 20

// clone fetches one commit, without history, hooks or submodules. Git needs a directory for what it receives;
// nothing is checked out there, and it is removed before this returns.
func clone(repository Repository, protocols string) (*Clone, error) {
	if gitProgram == "" {
		return nil, errors.New("there is no git")
	}
	if strings.HasPrefix(repository.Ref, "-") || strings.HasPrefix(repository.URL, "-") {
		return nil, errors.New("a reference must not begin with a dash")
	}
	directory, err := os.MkdirTemp("", "flux-handover-")
	if err != nil {
		return nil, err
	}
	defer func() { _ = os.RemoveAll(directory) }()
	ctx, cancel := context.WithTimeout(context.Background(), maxSeconds)
	defer cancel()
	git := gitIn{ctx, directory, protocols}
	if _, err := git.run(nil, "init", "-q", "--bare", "--template=", "."); err != nil {
		return nil, err
	}
	ref := repository.Ref
	if ref == "" {
		ref = "HEAD"
	}
	if _, err := git.run(nil, "fetch", "-q", "--depth=1", "--no-tags", "--no-recurse-submodules", repository.URL, ref); err != nil {
		return nil, err
	}
	return git.files()
}

type gitIn struct {
	ctx       context.Context
	directory string
	protocols string
}

func (g gitIn) run(input io.Reader, arguments ...string) ([]byte, error) {
	command := exec.CommandContext(g.ctx, gitProgram, arguments...)
	command.Dir, command.Stdin = g.directory, input
	command.Env = append(os.Environ(), "PATH="+searchPath, "GIT_TERMINAL_PROMPT=0", "GIT_ALLOW_PROTOCOL="+g.protocols)
	var output, complaint bytes.Buffer
	command.Stdout, command.Stderr = &output, &complaint
	if err := command.Run(); err != nil {
		return nil, fmt.Errorf("git %s: %w: %s", arguments[0], err, lastLine(complaint.String()))
	}
	return output.Bytes(), nil
}

func lastLine(text string) string {
	lines := strings.Split(strings.TrimSpace(text), "\n")
	return lines[len(lines)-1]
}

// files lists the commit and reads its blobs, if they are few enough.
func (g gitIn) files() (*Clone, error) {
	list, err := g.run(nil, "ls-tree", "-r", "-l", "-z", "FETCH_HEAD")
	if err != nil {
		return nil, err
	}
	c := &Clone{Files: map[string][]byte{}, Links: map[string]string{}, Omitted: map[string]string{}}
	var wanted []listed
	total := 0
	for _, line := range strings.Split(strings.TrimSuffix(string(list), "\x00"), "\x00") {
		entry, ok := parseListed(line)
		switch {
		case !ok:
			continue
		case entry.mode == "160000":
			c.Omitted[entry.path] = "submodule"
		case entry.size > maxFile:
			c.Omitted[entry.path] = fmt.Sprintf("larger than %d bytes", maxFile)
		default:
			wanted = append(wanted, entry)
			total += entry.size
		}
	}
	if total > maxBytes {
		return nil, fmt.Errorf("the repository has more than %d bytes", maxBytes)
	}
	return c, g.read(c, wanted)
}

type listed struct {
	mode, blob, path string
	size             int
}

// parseListed reads `<mode> <type> <object> <size>\t<path>`.
func parseListed(line string) (listed, bool) {
	head, name, ok := strings.Cut(line, "\t")
	fields := strings.Fields(head)
	if !ok || len(fields) != 4 {
		return listed{}, false
	}
	size, _ := strconv.Atoi(fields[3])
	return listed{mode: fields[0], blob: fields[2], path: name, size: size}, true
}

func (g gitIn) read(c *Clone, wanted []listed) error {
	var names strings.Builder
	for _, entry := range wanted {
		names.WriteString(entry.blob + "\n")
	}
	content, err := g.run(strings.NewReader(names.String()), "cat-file", "--batch")
	if err != nil {
		return err
	}
	for _, entry := range wanted {
		end := bytes.IndexByte(content, '\n')
		if end < 0 || len(content) < end+1+entry.size+1 {
			return fmt.Errorf("git cat-file gives no content for %s", entry.path)
		}
		blob := content[end+1 : end+1+entry.size]
		content = content[end+1+entry.size+1:]
		if entry.mode == "120000" {
			c.Links[entry.path] = string(blob)
		} else {
			c.Files[entry.path] = blob
		}
	}
	return nil
}
