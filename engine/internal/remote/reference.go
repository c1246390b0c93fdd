// Package remote knows which references of a kustomization leave the tree for the network, refuses
// them, and where the request allows it fetches them into memory within limits.
package remote

import (
	"net/url"
	"regexp"
	"strings"
)

var scpUser = regexp.MustCompile(`^[a-zA-Z][a-zA-Z0-9-]*@`)

// IsFile says whether kustomize loads a path over HTTP (kubernetes-sigs/kustomize:
// api/internal/loader/fileloader.go#IsRemoteFile@api/v0.21.1).
func IsFile(reference string) bool {
	u, err := url.Parse(reference)
	return err == nil && (u.Scheme == "http" || u.Scheme == "https")
}

// IsRepository says whether kustomize would clone a path that is not a local file (kubernetes-sigs/kustomize:
// api/internal/git/repospec.go#NewRepoSpecFromURL@api/v0.21.1).
func IsRepository(reference string) bool {
	_, ok := ParseRepository(reference)
	return ok
}

// Repository is a reference to a directory of a Git repository.
type Repository struct {
	URL  string
	Path string
	Ref  string
}

// ParseRepository reads a reference as kustomize does; false if it would take it for a local path.
func ParseRepository(reference string) (Repository, bool) {
	if strings.HasPrefix(reference, "/") {
		return Repository{}, false
	}
	rest, query, _ := strings.Cut(reference, "?")
	host, rest, ok := splitHost(trimFold(rest, "git::"))
	if !ok {
		return Repository{}, false
	}
	repository, directory, ok := splitPath(rest, strings.HasPrefix(host, "file://"))
	if !ok || repository == "" || leaves(directory) {
		return Repository{}, false
	}
	return Repository{URL: host + repository, Path: strings.TrimPrefix(directory, "/"), Ref: refOf(query)}, true
}

func trimFold(s, prefix string) string {
	if len(prefix) <= len(s) && strings.EqualFold(s[:len(prefix)], prefix) {
		return s[len(prefix):]
	}
	return s
}

// splitHost parts scheme, user and host from the path, with GitHub's short forms written out.
func splitHost(s string) (host, rest string, ok bool) {
	scheme := ""
	for _, known := range []string{"ssh://", "https://", "http://", "file://"} {
		if cut := trimFold(s, known); cut != s {
			scheme, s = known, cut
			break
		}
	}
	if scheme == "file://" {
		return scheme, s, true
	}
	user := scpUser.FindString(s)
	s = s[len(user):]
	lower := strings.ToLower(s)
	github := strings.HasPrefix(lower, "github.com/") || strings.HasPrefix(lower, "github.com:")
	scp := scheme == "" && (user != "" || github)
	if scheme == "" && !scp {
		return "", "", false
	}
	end := strings.Index(s, "/")
	if colon := strings.Index(s, ":"); scp && (end == -1 || colon > 0 && colon < end) {
		end = colon
	}
	if github {
		rest = s[len("github.com/"):]
		if scheme == "ssh://" || user != "" {
			return user + "github.com:", rest, true
		}
		return "https://github.com/", rest, true
	}
	if end < 0 {
		return "", "", false
	}
	return scheme + user + s[:end+1], s[end+1:], true
}

// splitPath parts the repository from the directory in it, by a marker or by length.
func splitPath(s string, whole bool) (repository, directory string, ok bool) {
	const azure = "_git/"
	if at := strings.Index(s, azure); at >= 0 {
		name, directory, _ := strings.Cut(s[at+len(azure):], "/")
		return s[:at+len(azure)] + name, directory, true
	}
	if repository, directory, ok := strings.Cut(s, "//"); ok {
		return repository, directory, true
	}
	if at := strings.Index(s, ".git"); at >= 0 {
		return s[:at+len(".git")], s[at+len(".git"):], true
	}
	if whole {
		return s, "", true
	}
	segments := strings.Split(s, "/")
	if len(segments) < 2 {
		return "", "", false
	}
	return strings.Join(segments[:2], "/"), strings.Join(segments[2:], "/"), true
}

func leaves(directory string) bool {
	depth := 0
	for _, part := range strings.Split(directory, "/") {
		switch part {
		case "", ".":
		case "..":
			depth--
		default:
			depth++
		}
		if depth < 0 {
			return true
		}
	}
	return false
}

func refOf(query string) string {
	values, err := url.ParseQuery(query)
	if err != nil {
		return ""
	}
	if ref := values.Get("ref"); ref != "" {
		return ref
	}
	return values.Get("version")
}
