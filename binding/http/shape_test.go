package http_test

import (
	"reflect"
	"strings"
	"testing"

	"gozilla/binding/http"
	"gozilla/config"
)

// TestShapes is what the reference is made of, but for comments, which a build has once they were generated.
func TestShapes(t *testing.T) {
	for _, shape := range []reflect.Type{reflect.TypeFor[http.Server](), reflect.TypeFor[http.Client]()} {
		if err := config.CheckShape(shape); err != nil {
			for line := range strings.Lines(err.Error()) {
				if !strings.Contains(line, "comment") {
					t.Error(line)
				}
			}
		}
	}
}
