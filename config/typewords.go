package config

import (
	"fmt"
	"math"
	"reflect"
	"strings"
)

// durationPattern is what a duration looks like, for editors. The decoder is exact.
const durationPattern = `^([0-9.]+(ns|us|µs|ms|s|m|h))+$|^P([0-9]+D)?(T([0-9]+H)?([0-9]+M)?([0-9.]+S)?)?$`

// patternOf is the pattern of a type of text, or nothing.
func patternOf(t reflect.Type) string {
	if x, ok := reflect.New(t).Interface().(interface{ Pattern() string }); ok {
		return x.Pattern()
	}
	return ""
}

// valuesOf are the values of an enumeration.
func valuesOf(t reflect.Type) []string {
	if x, ok := reflect.New(t).Interface().(Enum); ok {
		return x.Values()
	}
	return nil
}

// wordsFor says what a value of a type must be. Alternatives are joined by an "or".
func wordsFor(t reflect.Type) string {
	words := rawWords(t)
	if formOf(t) == formMany {
		if strings.Contains(rawWords(t.Elem()), ", ") {
			return words + ", or a list of them"
		}
		return words + " or a list of them"
	}
	if i := strings.LastIndex(words, ", "); i >= 0 && !strings.Contains(words, " or ") {
		words = words[:i] + " or" + words[i+1:]
	}
	return words
}

func rawWords(t reflect.Type) string {
	if values := valuesOf(t); values != nil {
		return Words(values)
	}
	if x, ok := reflect.New(t).Interface().(interface{ Words() string }); ok {
		return x.Words()
	}
	switch formOf(t) {
	case formPointer:
		return rawWords(t.Elem())
	case formMany:
		return rawWords(t.Elem())
	case formStruct, formMap:
		return "a mapping"
	case formSlice:
		return "a list"
	case formBool:
		return "true or false"
	case formFloat:
		return "a number"
	case formInt, formUint:
		return integerWords(t)
	case formDuration:
		return "a duration like 30s"
	case formText:
		return "text of its own form"
	case formString:
		return "a string"
	}
	return "a value"
}

func integerWords(t reflect.Type) string {
	lo, hi, ok := boundsOf(t)
	switch {
	case !ok:
		return "a whole number"
	case hi == math.MaxInt64:
		return fmt.Sprintf("a whole number from %d on", lo)
	}
	return fmt.Sprintf("a whole number from %d to %d", lo, hi)
}
