package httpfilesystem

import (
	"slices"
	"strings"

	"gozilla/binding"
	"gozilla/config"
	"gozilla/stream/web"
)

// Proxy makes of requests what is done with files.
type Proxy struct {
	binding.Head
	binding.Routed[When, With]
}

// When is what a route asks of a request.
type When struct {
	// The method. Without it, any of these holds; others are never taken.
	Method Method
	// What the path must look like, without its query: * stands for any run of characters and {name} for one that is not
	// empty. The whole path must match. An escape of what need not be escaped, such as %41, is an A here; others are as they came.
	Path Pattern

	path    pattern
	anyPath bool
}

// Method is the method of a request.
type Method string

// Values are the methods that are taken.
func (Method) Values() []string { return []string{"GET", "PUT", "POST", "DELETE", "HEAD"} }

// Check tells of conditions that cannot hold, and makes the others ready.
func (w *When) Check(r *config.Report) {
	w.path, w.anyPath = w.Path.compile(), w.Path == ""
	w.checkPath(r)
	for i, gap := range w.path.gaps {
		if gap != "" && slices.Index(w.path.gaps, gap) != i {
			r.Errorf(r.At(&w.Path), "the pattern has {%s} more than once", gap)
		}
	}
}

// checkPath tells of a path that no request has.
func (w *When) checkPath(r *config.Report) {
	first := w.path.parts[0]
	if first != "" && first[0] != '/' {
		r.Warnf(r.At(&w.Path), "this never holds: a path begins with a slash").Hintf("write /%s", w.Path)
		return
	}
	for _, part := range w.path.parts {
		switch {
		case strings.Contains(part, "?"):
			r.Warnf(r.At(&w.Path), "this never holds: the path is compared without its query")
			return
		case web.Disguised(part):
			r.Warnf(r.At(&w.Path), "this never holds: an escape of what need not be escaped is taken for what it stands for").Hintf("write %s", plain(string(w.Path)))
			return
		}
	}
}

// Apart is how a condition is taken apart, to tell which of its keys do not hold.
func (w *When) Apart() (parts []config.Part[When]) {
	if w.Method != "" {
		parts = append(parts, config.Part[When]{Key: "method", Only: &When{Method: w.Method, anyPath: true}})
	}
	if !w.anyPath {
		parts = append(parts, config.Part[When]{Key: "path", Only: &When{Path: w.Path, path: w.path}})
	}
	return parts
}

// With is which file a route leads to.
type With struct {
	// A file, by its path below the location of the filesystem; or, if that is empty or ends in a slash, a folder. In it,
	// ${params.name} is what {name} has captured in the condition by which the route was taken, its escapes decoded.
	Path Target
	// A folder likewise, whether there is a slash at the end or not. Without path and directory, it is the location itself.
	Directory Target

	target target
	dir    bool
}

// Check tells what is wrong with the target, and makes it ready.
func (w *With) Check(r *config.Report) {
	at, text := r.At(&w.Path), w.Path
	if w.Directory != "" {
		if at, text = r.At(&w.Directory), w.Directory; w.Path != "" {
			r.Errorf(at, "a route leads to a path or to a directory, not to both")
			return
		}
	}
	w.dir = w.Path == ""
	w.target = text.compile()
	switch {
	case !w.target.valid():
		r.Errorf(at, "a path below the location has no empty parts, none that are . or .., no backslash and no NUL")
	case slices.ContainsFunc(w.target.texts, func(s string) bool { return strings.Contains(s, "${") }):
		r.Warnf(at, "${ is taken to the letter here: only ${params.name} stands for something")
	}
}

// Check tells what is wrong with the proxy as a whole.
func (p *Proxy) Check(r *config.Report) {
	for i := range p.Routes {
		p.Routes[i].With.checkParams(r, p.Routes[i].When)
	}
}

// checkParams tells of params that no condition of the route captures, or not all do.
func (w *With) checkParams(r *config.Report, when []When) {
	var known []string
	for i := range when {
		for _, name := range when[i].path.gaps {
			if name != "" && !slices.Contains(known, name) {
				known = append(known, name)
			}
		}
	}
	at := r.At(&w.Path)
	if w.Directory != "" {
		at = r.At(&w.Directory)
	}
	for _, param := range w.target.params {
		if slices.Contains(known, param) {
			for i := range when {
				if !slices.Contains(when[i].path.gaps, param) {
					r.Warnf(r.At(&when[i]), "the condition does not capture ${params.%s}: what it holds for is answered by 404", param)
				}
			}
			continue
		}
		f := r.Errorf(at, "no condition of the route captures ${params.%s}", param)
		if like, ok := config.Like(param, known); ok {
			f.Hintf("did you mean ${params.%s}?", like)
		} else {
			f.Hintf("let a path in when have {%s} in it", param)
		}
	}
}
