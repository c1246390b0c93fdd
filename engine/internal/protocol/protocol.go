// Package protocol is what the engine and its client say to each other: one JSON object a line,
// one response for each request, in order. docs/reference/protocol.md describes it for people.
package protocol

import "encoding/json"

// Version of the protocol; the client refuses any other.
const Version = 1

// Versions of the libraries whose behaviour the engine has.
const (
	Kustomize     = "api/v0.21.1"
	FluxKustomize = "v1.35.4"
)

// Code is the stable name of an error.
type Code string

// The closed set of codes; each has a row in docs/reference/protocol.md.
const (
	InvalidRequest      Code = "invalid-request"
	InvalidSpec         Code = "invalid-spec"
	MissingPath         Code = "missing-path"
	MissingFile         Code = "missing-file"
	MissingConfig       Code = "missing-kustomization"
	SeveralConfigs      Code = "several-kustomizations"
	InvalidYAML         Code = "invalid-yaml"
	UnknownField        Code = "unknown-field"
	InvalidField        Code = "invalid-field"
	NotAnObject         Code = "not-an-object"
	MissingName         Code = "missing-name"
	DuplicateID         Code = "duplicate-id"
	Cycle               Code = "cycle"
	InvalidComponent    Code = "component"
	PatchNoMatch        Code = "patch-no-match"
	InvalidPatch        Code = "invalid-patch"
	InvalidReplacement  Code = "replacement"
	PluginDisabled      Code = "plugin-disabled"
	EmptyConfig         Code = "empty-kustomization"
	RemoteResource      Code = "remote-resource"
	RemoteFailed        Code = "remote-failed"
	FileOmitted         Code = "file-omitted"
	PathEscapes         Code = "path-escapes"
	LimitExceeded       Code = "limit-exceeded"
	InvalidVariable     Code = "invalid-variable"
	Substitution        Code = "substitution"
	UndefinedVariable   Code = "undefined-variable"
	SymbolicOperation   Code = "symbolic-operation"
	SymbolicStructure   Code = "symbolic-structure"
	BuildFailed         Code = "build-failed"
	Panicked            Code = "panic"
	UnsupportedProtocol Code = "unsupported-method"
)

// Codes lists them all, in the order of the documentation.
var Codes = []Code{
	InvalidRequest,
	InvalidSpec,
	MissingPath,
	MissingFile,
	MissingConfig,
	SeveralConfigs,
	InvalidYAML,
	UnknownField,
	InvalidField,
	NotAnObject,
	MissingName,
	DuplicateID,
	Cycle,
	InvalidComponent,
	PatchNoMatch,
	InvalidPatch,
	InvalidReplacement,
	PluginDisabled,
	EmptyConfig,
	RemoteResource,
	RemoteFailed,
	FileOmitted,
	PathEscapes,
	LimitExceeded,
	InvalidVariable,
	Substitution,
	UndefinedVariable,
	SymbolicOperation,
	SymbolicStructure,
	BuildFailed,
	Panicked,
	UnsupportedProtocol,
}

// Error is why one request, build or substitution has no result. Line 0 is the file as a whole.
type Error struct {
	Code    Code   `json:"code"`
	Message string `json:"message"`
	File    string `json:"file,omitempty"`
	Line    int    `json:"line,omitempty"`
	Object  *int   `json:"object,omitempty"`
}

func (e *Error) Error() string { return string(e.Code) + ": " + e.Message }

// Request is one line from the client; the method says which of the other fields it reads.
type Request struct {
	ID           int                    `json:"id"`
	Method       string                 `json:"method"`
	Tree         *Tree                  `json:"tree,omitempty"`
	TreeDigest   string                 `json:"treeDigest,omitempty"`
	Known        map[string]string      `json:"known,omitempty"`
	Builds       []Build                `json:"builds,omitempty"`
	Path         string                 `json:"path,omitempty"`
	AllowNetwork bool                   `json:"allowNetwork,omitempty"`
	Sets         []Set                  `json:"sets,omitempty"`
	Limits       *RequestedLimit        `json:"limits,omitempty"`
	Texts        map[string]string      `json:"texts,omitempty"`
	Binaries     map[string][]byte      `json:"binaries,omitempty"`
	Trees        map[string]*StoredTree `json:"trees,omitempty"`
}

// StoredTree is a tree whose files are given by digest: their content was stored before, or is stored with it.
type StoredTree struct {
	Files   map[string]string `json:"files"`
	Links   map[string]string `json:"links,omitempty"`
	Omitted map[string]string `json:"omitted,omitempty"`
}

// RequestedLimit narrows the engine's own limits; it cannot widen them.
type RequestedLimit struct {
	BuildSeconds float64 `json:"buildSeconds,omitempty"`
	Objects      int     `json:"objects,omitempty"`
}

// Tree is the files a build may see, by path relative to the top of the tree.
type Tree struct {
	Files   map[string]string `json:"files"`
	Binary  map[string][]byte `json:"binary,omitempty"`
	Links   map[string]string `json:"links,omitempty"`
	Omitted map[string]string `json:"omitted,omitempty"`
}

// Build asks for the objects of one Flux Kustomization.
type Build struct {
	Key           string          `json:"key"`
	Kustomization json.RawMessage `json:"kustomization"`
	Path          *string         `json:"path,omitempty"`
}

// BuildResult holds objects, or an error; what was read is given for both. Damaged files were read as if
// their sops stanza were intact.
type BuildResult struct {
	Key     string            `json:"key,omitempty"`
	Objects []json.RawMessage `json:"objects"`
	Reads   []string          `json:"reads"`
	Remotes []string          `json:"remotes"`
	Damaged []string          `json:"damaged,omitempty"`
	Error   *Error            `json:"error,omitempty"`
}

// Set asks for the substitution of variables in objects.
type Set struct {
	Key            string            `json:"key"`
	Objects        []json.RawMessage `json:"objects"`
	Variables      map[string]string `json:"variables,omitempty"`
	Symbolic       map[string]string `json:"symbolic,omitempty"`
	Open           bool              `json:"open,omitempty"`
	Strict         bool              `json:"strict,omitempty"`
	Always         bool              `json:"always,omitempty"`
	CommonMetadata *CommonMetadata   `json:"commonMetadata,omitempty"`
}

// CommonMetadata is `spec.commonMetadata` of a Kustomization.
type CommonMetadata struct {
	Labels      map[string]string `json:"labels,omitempty"`
	Annotations map[string]string `json:"annotations,omitempty"`
}

// Undefined names a variable that no source defines, and the object (by index) that uses it.
type Undefined struct {
	Object int    `json:"object"`
	Name   string `json:"name"`
}

// SetResult holds the objects after substitution, or an error. Symbols is by index of the object.
type SetResult struct {
	Key       string            `json:"key"`
	Objects   []json.RawMessage `json:"objects"`
	Undefined []Undefined       `json:"undefined"`
	Symbols   map[int][]string  `json:"symbols"`
	Tokens    map[string]string `json:"tokens"`
	Error     *Error            `json:"error,omitempty"`
}

// Response answers the request with the same id; Error is set only if nothing else could be.
type Response struct {
	ID            int               `json:"id"`
	Version       string            `json:"version,omitempty"`
	Protocol      int               `json:"protocol,omitempty"`
	Kustomize     string            `json:"kustomize,omitempty"`
	FluxKustomize string            `json:"fluxKustomize,omitempty"`
	Results       any               `json:"results,omitempty"`
	Objects       []json.RawMessage `json:"objects,omitempty"`
	Reads         []string          `json:"reads,omitempty"`
	Remotes       []string          `json:"remotes,omitempty"`
	Damaged       []string          `json:"damaged,omitempty"`
	Error         *Error            `json:"error,omitempty"`
}
