package config_test

import (
	"slices"
	"testing"

	"gozilla/config"
)

// gate is a condition with keys inside of keys, and something that is no key.
type gate struct {
	Port  config.Ports
	Host  string `config:"name"`
	Limit *int
	Inner struct {
		Deep struct{ Word string }
		Net  config.CIDR
	}
	compiled bool
}

// TestApart wants every key that is set to be alone.
func TestApart(t *testing.T) {
	r := &config.Report{}
	docs := config.Parse(r, config.Source{Name: "x.yaml", Text: []byte("{ inner: { deep: { word: yes }, net: 10.0.0.0/8 }, limit: 0, port: [ 1, 2 ] }")})
	g := config.Decode[gate](r, docs[0], "a gate")
	if err := r.Err(); err != nil {
		t.Fatal(err)
	}
	g.compiled = true
	var keys []string
	for _, p := range config.Apart(g) {
		keys = append(keys, p.Key)
		again := config.Apart(p.Only)
		if len(again) != 1 || again[0].Key != p.Key || p.Only.compiled {
			t.Errorf("%s alone is %+v", p.Key, p.Only)
		}
		switch p.Key {
		case "port":
			if !slices.Equal(p.Only.Port, g.Port) {
				t.Errorf("the port is %v", p.Only.Port)
			}
		case "inner.deep.word":
			if p.Only.Inner.Deep.Word != "yes" {
				t.Errorf("the word is %q", p.Only.Inner.Deep.Word)
			}
		}
	}
	if want := []string{"port", "limit", "inner.deep.word", "inner.net"}; !slices.Equal(keys, want) {
		t.Errorf("the keys are %v, not %v", keys, want)
	}
	if parts := config.Apart(&gate{}); len(parts) != 0 {
		t.Errorf("nothing has the parts %v", parts)
	}
}
