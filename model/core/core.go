package coremodel

import (
	"context"
	"strings"

	"gozilla/model"
	"gozilla/stream"
)

func init() {
	model.Register("string", newString)
	model.Register("int32", func(b *model.Builder, c *Int32) (model.Model, error) {
		return newInteger(b, &c.Integer, "int32", 32), nil
	})
	model.Register("int64", func(b *model.Builder, c *Int64) (model.Model, error) {
		return newInteger(b, &c.Integer, "int64", 64), nil
	})
	model.Register("float", func(b *model.Builder, c *Float) (model.Model, error) {
		return newDecimal(b, &c.Decimal, "float", 32), nil
	})
	model.Register("double", func(b *model.Builder, c *Double) (model.Model, error) {
		return newDecimal(b, &c.Decimal, "double", 64), nil
	})
	model.Register("boolean", func(b *model.Builder, c *Boolean) (model.Model, error) {
		decode, encode := judges(b, "boolean", &c.Head)
		return both{&boolean{decode}, &boolean{encode}}, nil
	})
	model.Register("bytes", func(*model.Builder, *Bytes) (model.Model, error) { return both{anything{}, anything{}}, nil })
}

// both is a model of two coders.
type both struct{ decode, encode model.Coder }

func (m both) Decoder() model.Coder { return m.decode }
func (m both) Encoder() model.Coder { return m.encode }

// A finding is what is wrong with a value; the zero one is that nothing is.
type finding struct {
	text      string
	malformed bool
}

func malformed(text string) finding { return finding{text, true} }
func invalid(text string) finding   { return finding{text, false} }

// A judge decides what becomes of values that are not right. It is the part that all coders have in common.
type judge struct {
	b       *model.Builder
	name    string
	lenient bool
}

func judges(b *model.Builder, name string, h *model.Head) (decode, encode judge) {
	return judge{b, name, h.Validate.Decode == model.Lenient}, judge{b, name, h.Validate.Encode == model.Lenient}
}

// Identity is part of model.Coder.
func (*judge) Identity() bool { return true }

// settle tells of what was found, and gives the error if the value is refused.
func (j *judge) settle(ctx context.Context, f finding) error {
	if f.text == "" {
		return nil
	}
	return j.refuse(ctx, f)
}

func (j *judge) refuse(ctx context.Context, f finding) error {
	j.b.Warn(stream.From(ctx), "model.core.validation.failed",
		"A message payload failed validation. A field was not the expected type (%s). %s.", j.name, strings.ToUpper(f.text[:1])+f.text[1:])
	if j.lenient && !f.malformed {
		return nil
	}
	return &model.Fault{Model: j.name, Text: f.text, Malformed: f.malformed}
}

// A state is what is known of a value whose pieces come one after the other.
type state interface {
	// feed takes a piece. It finds what refuses the value whatever follows, and leaves to end what a lenient model lets pass.
	feed(piece []byte) finding
	end() finding
}

// pipe is a model.Pipe.
type pipe struct {
	ctx context.Context
	j   *judge
	state
}

func (p *pipe) Write(dst, piece []byte) ([]byte, error) { return dst, p.j.settle(p.ctx, p.feed(piece)) }
func (p *pipe) End(dst []byte) ([]byte, error)          { return dst, p.j.settle(p.ctx, p.end()) }

// boolean is one byte, 0 or 1.
type boolean struct{ judge }

func (c *boolean) Value(ctx context.Context, dst, value []byte) ([]byte, error) {
	s := bit{}
	f := s.feed(value)
	if f.text == "" {
		f = s.end()
	}
	return dst, c.settle(ctx, f)
}

func (c *boolean) Pipe(ctx context.Context) model.Pipe { return &pipe{ctx, &c.judge, &bit{}} }

type bit struct{ seen bool }

func (s *bit) feed(piece []byte) finding {
	switch {
	case len(piece) == 0:
		return finding{}
	case s.seen || len(piece) > 1:
		return malformed("it is longer than one byte")
	case piece[0] > 1:
		return malformed("the byte is neither 0 nor 1")
	}
	s.seen = true
	return finding{}
}

func (s *bit) end() finding {
	if !s.seen {
		return malformed(empty)
	}
	return finding{}
}

const empty = "it is empty"

// anything is the coder of bytes.
type anything struct{}

func (anything) Identity() bool                                         { return true }
func (anything) Value(_ context.Context, dst, _ []byte) ([]byte, error) { return dst, nil }
func (anything) Pipe(context.Context) model.Pipe                        { return anyPipe{} }

type anyPipe struct{}

func (anyPipe) Write(dst, _ []byte) ([]byte, error) { return dst, nil }
func (anyPipe) End(dst []byte) ([]byte, error)      { return dst, nil }
