package serve_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/flux-handover/engine/internal/protocol"
	"github.com/flux-handover/engine/internal/remote"
	"github.com/flux-handover/engine/internal/serve"
)

// Run with -update to write the responses anew, and review the difference.
var update = flag.Bool("update", false, "write the expected responses")

// asEngine makes the test program an engine.
const asEngine = "FLUX_HANDOVER_TEST_AS_ENGINE"

func TestMain(m *testing.M) {
	remote.Seal()
	if os.Getenv(asEngine) != "" {
		if serve.Lines("test", os.Stdin, os.Stdout) != nil {
			os.Exit(3)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

func TestResponses(t *testing.T) {
	for _, directory := range cases(t, "*") {
		t.Run(filepath.Base(filepath.Dir(directory))+"/"+filepath.Base(directory), func(t *testing.T) {
			response, _ := serve.New("test").Answer(readRequest(t, directory))
			response.ID = 0
			actual := indented(t, response)
			expected := filepath.Join(directory, "response.json")
			if *update {
				writeFile(t, expected, actual)
			}
			if !sameJSON(t, readFile(t, expected), actual) {
				t.Errorf("the response is\n%s", actual)
			}
		})
	}
}

func TestEveryCodeHasACase(t *testing.T) {
	seen := map[string]bool{}
	for _, directory := range cases(t, "*") {
		collectCodes(readFile(t, filepath.Join(directory, "response.json")), seen)
	}
	// A panic, a stuck build and a failing network have tests of their own; build-failed is for what is not known.
	for _, code := range protocol.Codes {
		switch code {
		case protocol.Panicked, protocol.RemoteFailed:
			continue
		}
		if !seen[string(code)] && code != protocol.BuildFailed {
			t.Errorf("no case has an error of code %s", code)
		}
		delete(seen, string(code))
	}
	for code := range seen {
		t.Errorf("%q is in a response and not a code", code)
	}
}

func collectCodes(content []byte, seen map[string]bool) {
	var value any
	if json.Unmarshal(content, &value) != nil {
		return
	}
	var visit func(any)
	visit = func(value any) {
		switch value := value.(type) {
		case map[string]any:
			if failure, ok := value["error"].(map[string]any); ok {
				seen[failure["code"].(string)] = true
			}
			for _, field := range value {
				visit(field)
			}
		case []any:
			for _, element := range value {
				visit(element)
			}
		}
	}
	visit(value)
}

func cases(t *testing.T, method string) []string {
	t.Helper()
	found, err := filepath.Glob(filepath.Join("..", "..", "testdata", method, "*", "request.json"))
	if err != nil || len(found) == 0 {
		t.Fatalf("no cases of %s: %v", method, err)
	}
	for i, file := range found {
		found[i] = filepath.Dir(file)
	}
	return found
}

// readRequest reads a case; `"tree": {"folder": "tree"}` stands for the files of the folder beside it.
func readRequest(t *testing.T, directory string) protocol.Request {
	t.Helper()
	content := readFile(t, filepath.Join(directory, "request.json"))
	var request protocol.Request
	var folder struct {
		Tree struct {
			Folder string `json:"folder"`
		} `json:"tree"`
	}
	if err := json.Unmarshal(content, &request); err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(content, &folder); err != nil {
		t.Fatal(err)
	}
	if folder.Tree.Folder != "" {
		request.Tree.Files = filesBelow(t, filepath.Join(directory, folder.Tree.Folder))
	}
	return request
}

func filesBelow(t *testing.T, top string) map[string]string {
	t.Helper()
	files := map[string]string{}
	if _, err := os.Stat(top); os.IsNotExist(err) {
		return files
	}
	err := filepath.WalkDir(top, func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		relative, err := filepath.Rel(top, name)
		files[filepath.ToSlash(relative)] = string(readFile(t, name))
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

func indented(t *testing.T, value any) []byte {
	t.Helper()
	var text bytes.Buffer
	encoder := json.NewEncoder(&text)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", "  ")
	if err := encoder.Encode(value); err != nil {
		t.Fatal(err)
	}
	return text.Bytes()
}

func sameJSON(t *testing.T, a, b []byte) bool {
	t.Helper()
	return reflect.DeepEqual(decoded(t, a), decoded(t, b))
}

func decoded(t *testing.T, content []byte) any {
	t.Helper()
	var value any
	decoder := json.NewDecoder(bytes.NewReader(content))
	decoder.UseNumber()
	if err := decoder.Decode(&value); err != nil {
		t.Fatal(err)
	}
	return value
}

func readFile(t *testing.T, name string) []byte {
	t.Helper()
	content, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return content
}

func writeFile(t *testing.T, name string, content []byte) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(name, content, 0o644); err != nil {
		t.Fatal(err)
	}
}

func TestEveryCodeIsDocumented(t *testing.T) {
	page := string(readFile(t, filepath.Join("..", "..", "..", "docs", "reference", "protocol.md")))
	for _, code := range protocol.Codes {
		if !strings.Contains(page, "\n| `"+string(code)+"` | ") {
			t.Errorf("docs/reference/protocol.md does not explain %s", code)
		}
	}
}
