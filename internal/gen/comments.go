package main

import (
	"bytes"
	"cmp"
	"fmt"
	"go/ast"
	"go/format"
	"go/token"
	"maps"
	"slices"
	"strings"
)

// comments writes the doc comments of all structs that could be part of a configuration.
func comments(root string) (string, []byte, error) {
	const path = "internal/all/comments.go"
	all := map[string]string{}
	for _, top := range documented {
		folders, err := packageFolders(root, top)
		if err != nil {
			return path, nil, err
		}
		for _, folder := range folders {
			files, err := parse(root, folder)
			if err != nil {
				return path, nil, err
			}
			for _, f := range files {
				collect(all, module+"/"+folder, f)
			}
		}
	}
	var b bytes.Buffer
	b.WriteString(header + "import \"gozilla/config\"\n\nfunc init() {\n\tconfig.Comments(map[string]string{\n")
	for _, key := range slices.Sorted(maps.Keys(all)) {
		fmt.Fprintf(&b, "\t\t%q: %q,\n", key, all[key])
	}
	b.WriteString("\t})\n}\n")
	content, err := format.Source(b.Bytes())
	return path, content, err
}

// collect adds the comments of one file.
func collect(all map[string]string, pkg string, f *ast.File) {
	put(all, pkg, f.Doc)
	for _, d := range f.Decls {
		decl, ok := d.(*ast.GenDecl)
		if !ok || decl.Tok != token.TYPE {
			continue
		}
		for _, s := range decl.Specs {
			spec := s.(*ast.TypeSpec)
			if st, ok := spec.Type.(*ast.StructType); ok && hasExported(st) {
				put(all, pkg+"."+spec.Name.Name, cmp.Or(spec.Doc, decl.Doc))
				fields(all, pkg+"."+spec.Name.Name, st)
			}
		}
	}
}

func fields(all map[string]string, owner string, st *ast.StructType) {
	for _, f := range st.Fields.List {
		for _, name := range f.Names {
			if name.IsExported() {
				put(all, owner+"."+name.Name, cmp.Or(f.Doc, f.Comment))
			}
		}
	}
}

func put(all map[string]string, key string, doc *ast.CommentGroup) {
	if text := strings.TrimSpace(doc.Text()); text != "" {
		all[key] = text
	}
}

func hasExported(st *ast.StructType) bool {
	return slices.ContainsFunc(st.Fields.List, func(f *ast.Field) bool {
		return len(f.Names) == 0 || slices.ContainsFunc(f.Names, (*ast.Ident).IsExported)
	})
}
