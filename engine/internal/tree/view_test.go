package tree_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/flux-handover/engine/internal/protocol"
	"github.com/flux-handover/engine/internal/tree"
)

func viewOf(t *testing.T, request protocol.Tree) *tree.View {
	t.Helper()
	content, err := tree.New(&request)
	if err != nil {
		t.Fatal(err)
	}
	return tree.NewView(content)
}

func orchard(t *testing.T) *tree.View {
	return viewOf(t, protocol.Tree{
		Files:   map[string]string{"a/apple.yaml": "apple", "a/b/pear.yaml": "pear", "a/.hidden.yaml": "", "top.yaml": "top"},
		Links:   map[string]string{"a/link.yaml": "b/pear.yaml", "l": "a/b", "out": "../outside", "a/far": "/etc", "dangling": "none", "a/up": "..", "loop": "loop"},
		Omitted: map[string]string{"a/big.yaml": "too large", "sub": "submodule"},
		Binary:  map[string][]byte{"a/bytes": {0xff}},
	})
}

func TestReadFile(t *testing.T) {
	for name, expected := range map[string]string{
		"/@tree/a/apple.yaml":                 "apple",
		"/@tree/a/../top.yaml":                "top",
		"/@tree/a/link.yaml":                  "pear",
		"/@tree/l/pear.yaml":                  "pear",
		"/@tree/a/up/a/up/top.yaml":           "top",
		"/@tree/l/../../@tree/a/b/pear.yaml":  "",
		"/@tree/a/b/../../a/up/l/pear.yaml":   "pear",
		"/@tree/a/bytes":                      "\xff",
		"top.yaml":                            "top",
		"/@tree/a/up/a/up/l/../a/b/pear.yaml": "pear",
	} {
		content, err := orchard(t).ReadFile(name)
		if expected != "" && (err != nil || string(content) != expected) {
			t.Errorf("%s: %q, %v", name, content, err)
		}
	}
}

func TestReadFileFails(t *testing.T) {
	for name, expected := range map[string]string{
		"/@tree/none":             "no such file",
		"/@tree/dangling":         "no such file",
		"/@tree/a":                "is a directory",
		"/@tree/top.yaml/x":       "not a directory",
		"/@tree/loop":             "too many levels of symbolic links",
		"/@tree/out":              "leads out of the tree",
		"/@tree/a/far":            "leads out of the tree",
		"/@tree/a/far/passwd":     "leads out of the tree",
		"/@tree/../etc/passwd":    "leads out of the tree",
		"/etc/passwd":             "leads out of the tree",
		"/@treeless/x":            "leads out of the tree",
		"/@tree/a/big.yaml":       "too large",
		"/@tree/sub/base/x.yaml":  "submodule",
		"/@tree/a/up/../top.yaml": "",
	} {
		view := orchard(t)
		_, err := view.ReadFile(name)
		if expected != "" && (err == nil || !strings.Contains(err.Error(), expected)) {
			t.Errorf("%s: %v", name, err)
		}
		if (view.Escaped != nil) != strings.Contains(expected, "out of the tree") {
			t.Errorf("%s: escaped is %v", name, view.Escaped)
		}
	}
}

func TestAnAbsentFileIsAbsentAsOnADisk(t *testing.T) {
	_, err := orchard(t).ReadFile("/@tree/none")

	if !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the error is %v", err)
	}
}

func TestKinds(t *testing.T) {
	for name, expected := range map[string]struct{ exists, directory bool }{
		"/@tree":            {true, true},
		"/@tree/a":          {true, true},
		"/@tree/l":          {true, true},
		"/@tree/top.yaml":   {true, false},
		"/@tree/dangling":   {false, false},
		"/@tree/out":        {false, false},
		"/@tree/a/big.yaml": {true, false},
		"/":                 {false, false},
	} {
		view := orchard(t)
		if view.Exists(name) != expected.exists || view.IsDir(name) != expected.directory {
			t.Errorf("%s: exists %v, directory %v", name, view.Exists(name), view.IsDir(name))
		}
	}
}

func TestCleanedAbs(t *testing.T) {
	view := orchard(t)

	directory, name, err := view.CleanedAbs("/@tree/l")
	if err != nil || directory.String() != "/@tree/a/b" || name != "" {
		t.Errorf("a link to a directory is %q %q %v", directory, name, err)
	}
	directory, name, err = view.CleanedAbs("/@tree/a/link.yaml")
	if err != nil || directory.String() != "/@tree/a/b" || name != "pear.yaml" {
		t.Errorf("a link to a file is %q %q %v", directory, name, err)
	}
	if _, _, err = view.CleanedAbs("/@tree/none"); err == nil || !strings.Contains(err.Error(), "evalsymlink failure") {
		t.Errorf("an absent path is %v", err)
	}
}

func TestWalkIsThatOfADisk(t *testing.T) {
	files := map[string]string{"b/x": "", "b.c/x": "", "a": "", "b/skip/x": "", "b/skip.yaml": "", "Z": "", "ä": "", "b/last/x": ""}
	root := t.TempDir()
	for name := range files {
		if err := os.MkdirAll(filepath.Dir(filepath.Join(root, name)), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(root, name), nil, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink("b", filepath.Join(root, "link")); err != nil {
		t.Fatal(err)
	}
	visited := func(walk func(string, filepath.WalkFunc) error, root string) (paths []string) {
		err := walk(root, func(p string, info os.FileInfo, err error) error {
			if err != nil {
				return err
			}
			paths = append(paths, strings.TrimPrefix(p, root)+" "+info.Mode().Type().String()+" "+info.Name())
			if filepath.Base(p) == "skip" || strings.HasSuffix(p, "last/x") {
				return filepath.SkipDir
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		paths[0] = ""
		return paths
	}

	onDisk := visited(filepath.Walk, root)
	inMemory := visited(viewOf(t, protocol.Tree{Files: files, Links: map[string]string{"link": "b"}}).Walk, tree.Root)

	if !slices.Equal(onDisk, inMemory) {
		t.Errorf("on a disk\n%v\nin memory\n%v", onDisk, inMemory)
	}
}

func TestWalkOfAFileAndOfNothing(t *testing.T) {
	view := orchard(t)
	visits := 0
	visit := func(_ string, _ os.FileInfo, err error) error {
		visits++
		return err
	}

	if err := view.Walk("/@tree/top.yaml", visit); err != nil || visits != 1 {
		t.Errorf("%d visits, %v", visits, err)
	}
	if err := view.Walk("/@tree/none", visit); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the error is %v", err)
	}
}

func TestListings(t *testing.T) {
	view := orchard(t)

	names, err := view.ReadDir("/@tree/a")
	if expected := []string{".hidden.yaml", "apple.yaml", "b", "big.yaml", "bytes", "far", "link.yaml", "up"}; err != nil || !slices.Equal(names, expected) {
		t.Errorf("names are %v, %v", names, err)
	}
	matches, err := view.Glob("/@tree/a/*.yaml")
	if expected := []string{"/@tree/a/apple.yaml", "/@tree/a/big.yaml", "/@tree/a/link.yaml"}; err != nil || !slices.Equal(matches, expected) {
		t.Errorf("matches are %v, %v", matches, err)
	}
	if hidden, err := view.Glob("/@tree/a/.h*"); err != nil || len(hidden) != 1 {
		t.Errorf("hidden files are %v, %v", hidden, err)
	}
	if none, err := view.Glob("/@tree/none/*"); err != nil || len(none) != 0 {
		t.Errorf("matches of nothing are %v, %v", none, err)
	}
	if _, err := view.ReadDir("/@tree/top.yaml"); err == nil {
		t.Error("a file was listed")
	}
}

func TestReads(t *testing.T) {
	view := orchard(t)
	_, _ = view.ReadFile("/@tree/a/link.yaml")
	_, _ = view.ReadFile("/@tree/none")
	_, _ = view.ReadFile("/etc/passwd")
	_ = view.IsDir("/@tree/a")
	_ = view.Walk("/@tree/a/b", func(string, os.FileInfo, error) error { return nil })

	if expected := []string{"a/b/", "a/b/pear.yaml", "a/link.yaml", "none"}; !slices.Equal(view.Reads(), expected) {
		t.Errorf("reads are %v", view.Reads())
	}
}

func TestWritingIsForOneView(t *testing.T) {
	content, err := tree.New(&protocol.Tree{Files: map[string]string{"a/x": "old"}})
	if err != nil {
		t.Fatal(err)
	}
	one, other := tree.NewView(content), tree.NewView(content)

	if err := one.WriteFile("/@tree/a/x", []byte("new")); err != nil {
		t.Fatal(err)
	}
	if err := one.WriteFile("/@tree/none/x", nil); err == nil {
		t.Error("a file was written into nothing")
	}

	written, _ := one.ReadFile("/@tree/a/x")
	kept, _ := other.ReadFile("/@tree/a/x")
	if string(written) != "new" || string(kept) != "old" || string(one.Original("/@tree/a/x")) != "old" {
		t.Errorf("written %q, kept %q", written, kept)
	}
}

func TestNothingElseIsWritten(t *testing.T) {
	view := orchard(t)
	_, createError := view.Create("/@tree/x")
	_, openError := view.Open("/@tree/top.yaml")

	for _, err := range []error{createError, openError, view.Mkdir("/@tree/x"), view.MkdirAll("/@tree/x"), view.RemoveAll("/@tree/a")} {
		if err == nil {
			t.Error("the tree was written to")
		}
	}
}

func TestAMountIsReachedByPathOnly(t *testing.T) {
	view := orchard(t)

	top, err := view.Mount("farm", map[string][]byte{"base/x": []byte("far")}, map[string]string{"l": "base/x"}, map[string]string{"big": "too large"})
	if err != nil {
		t.Fatal(err)
	}

	if content, err := view.ReadFile(top + "/l"); err != nil || string(content) != "far" {
		t.Errorf("content is %q, %v", content, err)
	}
	if _, err := view.ReadFile(top + "/big"); err == nil {
		t.Error("an omitted file was read")
	}
	if names, _ := view.ReadDir(tree.Root); slices.Contains(names, filepath.Base(top)) {
		t.Errorf("the mount is listed: %v", names)
	}
}

func TestATreeThatCannotBeIsRefused(t *testing.T) {
	for name, request := range map[string]protocol.Tree{
		"empty path":           {Files: map[string]string{"": ""}},
		"absolute path":        {Files: map[string]string{"/a": ""}},
		"path not clean":       {Files: map[string]string{"a//b": ""}},
		"path out":             {Links: map[string]string{"../a": ""}},
		"top":                  {Omitted: map[string]string{".": ""}},
		"zero byte":            {Files: map[string]string{"a\x00b": ""}},
		"twice":                {Files: map[string]string{"a": ""}, Binary: map[string][]byte{"a": nil}},
		"file with children":   {Files: map[string]string{"a": ""}, Links: map[string]string{"a/b": "c"}},
		"directory and a file": {Files: map[string]string{"a/b": ""}, Links: map[string]string{"a": "c"}},
	} {
		var failure *protocol.Error
		if _, err := tree.New(&request); !errors.As(err, &failure) || failure.Code != protocol.InvalidRequest {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestAHugeFileIsOmitted(t *testing.T) {
	view := viewOf(t, protocol.Tree{Files: map[string]string{"huge.yaml": strings.Repeat("x", tree.MaxFileSize+1)}})

	_, err := view.ReadFile("/@tree/huge.yaml")

	if err == nil || view.Omitted == nil {
		t.Errorf("the error is %v", err)
	}
}

func TestTooManyFilesAreRefused(t *testing.T) {
	files := make(map[string]string, tree.MaxFiles+1)
	for i := range tree.MaxFiles + 1 {
		files["f"+strings.Repeat("x", i%7)+string(rune('a'+i%26))+strings.Repeat("y", i/1000)+string(rune(0x4e00+i%1000))] = ""
	}
	if len(files) <= tree.MaxFiles {
		t.Skipf("only %d names", len(files))
	}
	var failure *protocol.Error

	if _, err := tree.New(&protocol.Tree{Files: files}); !errors.As(err, &failure) || failure.Code != protocol.LimitExceeded {
		t.Errorf("the error is %v", err)
	}
}

func TestDamagedStanzas(t *testing.T) {
	broken := "sops:\n  age:\n    - enc: |\n        x\n  -----END\n  mac: y\n"
	secret := "kind: Secret\ndata: {a: b}\n"
	for name, expected := range map[string]struct {
		content string
		damaged bool
	}{
		"one.yaml":     {secret + broken, true},
		"two.yaml":     {secret + broken + "---\n" + secret + broken, true},
		"intact.yaml":  {secret + "sops:\n  mac: y\n", false},
		"other.yaml":   {"kind: [\n" + broken, false},
		"text.txt":     {secret + broken, false},
		"nested.yaml":  {"kind: x\nspec:\n  sops:\n   - a\n  b\n", false},
		"nothing.yaml": {secret, false},
	} {
		view := viewOf(t, protocol.Tree{Files: map[string]string{name: expected.content}})
		content, err := view.ReadFile("/@tree/" + name)
		if err != nil {
			t.Fatal(err)
		}
		if slices.Contains(view.Damaged(), name) != expected.damaged || !expected.damaged && string(content) != expected.content {
			t.Errorf("%s: damaged %v, content %q", name, view.Damaged(), content)
		}
		if expected.damaged && strings.Count(string(content), "kind: Secret") != strings.Count(expected.content, "kind: Secret") {
			t.Errorf("%s: a document was lost: %q", name, content)
		}
	}
}
