package cli

import (
	"strings"
	"testing"
)

func TestTable(t *testing.T) {
	table := &table{columns: []column{{title: "left"}, {title: "n", right: true}, {title: "last"}}}
	table.add("größe", "1", "x")
	table.add("", "12345")
	table.add("a\nb", "", "日本")
	var b strings.Builder
	if err := table.write(&b); err != nil {
		t.Fatal(err)
	}
	want := "left        n   last\n" +
		"größe       1   x\n" +
		"        12345\n" +
		`a\nb            日本` + "\n"
	if b.String() != want {
		t.Errorf("got\n%s\nwant\n%s", b.String(), want)
	}
}
