package model_test

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"gozilla/component"
	"gozilla/config"
	"gozilla/model"
)

func init() {
	model.Register("wish", func(b *model.Builder, c *Wish) (model.Model, error) {
		if c.Of == "" {
			return nil, errors.New("a wish is of something")
		}
		return wish{c}, nil
	})
}

// Wish is a test model in a file.
type Wish struct {
	model.Head
	// What is wished.
	Of string
}

type wish struct{ c *Wish }

func (w wish) Decoder() model.Coder { return coder{w.c.Validate.Decode} }
func (w wish) Encoder() model.Coder { return coder{w.c.Validate.Encode} }

type coder struct{ rigour model.Rigour }

func (coder) Identity() bool                                             { return true }
func (coder) Value(_ context.Context, dst, value []byte) ([]byte, error) { return dst, nil }
func (coder) Pipe(context.Context) model.Pipe                            { return nil }

func decode(t *testing.T, text string) (*model.Config, error) {
	t.Helper()
	r := &config.Report{}
	docs := config.Parse(r, config.Source{Name: "zilla.yaml", Text: []byte(text), Env: func(string) (string, bool) { return "", false }})
	c := config.Decode[struct{ Model *model.Config }](r, docs[0], "it")
	return c.Model, r.Err()
}

func TestConfig(t *testing.T) {
	f := func(text, want string) {
		t.Helper()
		c, err := decode(t, text)
		got := ""
		if err == nil {
			var m model.Model
			if m, err = c.Build(&component.Builder{}); err == nil && m != nil {
				got = fmt.Sprint(c.Model, " ", m.Decoder(), " ", m.Encoder(), " ", m.(wish).c.Validate)
			}
		}
		if err != nil {
			got = err.Error()
		}
		if got != want {
			t.Errorf("%s: %s\nnot %s", text, got, want)
		}
	}
	f("{}", "") // there is none
	f("model: { model: wish, of: luck }", "wish {strict} {strict} strict")
	f("model: { model: wish, of: luck, validate: { encode: lenient } }", "wish {strict} {lenient} { decode: strict, encode: lenient }")
	f("model: { model: wish, of: luck, validate: lenient }", "wish {lenient} {lenient} lenient")
	f("model: wish", "a wish is of something")
	f("model:", "zilla.yaml:1:1: a model cannot be empty\n  hint: this build has wish")
	f("model: { model: }", "zilla.yaml:1:17: a model needs the key model, which says of what type it is\n  hint: this build has wish")
	f("model: { model: wish, when.true: only }", "zilla.yaml:1:23: unknown key \"when.true\" in a wish model\n  hint: the keys are model, validate, of")
	f("model: protobuf", "zilla.yaml:1:8: the model type \"protobuf\" is not built yet\n  hint: this build has wish")
	f("model: 7", "zilla.yaml:1:8: there is no model type 7\n  hint: this build has wish")
	f("model: { model: wish, validate: [ strict ] }", "zilla.yaml:1:33: validate must be strict or lenient, not a list")
}

func TestFault(t *testing.T) {
	f := &model.Fault{Model: "wish", Text: "it does not come true"}
	if got := f.Error(); got != "not a valid wish: it does not come true" {
		t.Errorf("the fault says %q", got)
	}
	if !model.IsFault(fmt.Errorf("the content is %w", f)) || model.IsFault(errors.New("the catalog is gone")) || model.IsFault(nil) {
		t.Error("faults are not told from other errors")
	}
}
