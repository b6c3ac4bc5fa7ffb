package config

import (
	"maps"
	"reflect"
	"strings"
	"sync"
)

var registered = struct {
	sync.RWMutex
	comments map[string]string
}{comments: map[string]string{}}

// Comments registers the doc comments of config structs: of a type as "import/path.Type", of a field as
// "import/path.Type.Field", of the package as "import/path". Type parameters are left out. It is called by generated
// code.
func Comments(m map[string]string) {
	registered.Lock()
	defer registered.Unlock()
	maps.Copy(registered.comments, m)
}

// PackageComment is the comment of the package that declares the shape's type: what a component is and does.
func PackageComment(s *Shape) string {
	i := strings.LastIndexByte(s.Type, '.')
	return comment(s.Type[:max(i, 0)])
}

func comment(name string) string {
	registered.RLock()
	defer registered.RUnlock()
	return registered.comments[name]
}

// typeName is the name of a type as comments are registered for it; types without a name have that of Go.
func typeName(t reflect.Type) string {
	if t.PkgPath() == "" {
		return t.String()
	}
	name, _, _ := strings.Cut(t.Name(), "[")
	return t.PkgPath() + "." + name
}
