package filesystem

import (
	"net/url"
	"path/filepath"
	"strings"

	"gozilla/binding"
	"gozilla/config"
)

// Server has the files below a folder. It leads nowhere.
type Server struct {
	binding.Head
	// Which folder.
	Options ServerOptions `config:"options,required"`
}

// ServerOptions says which folder a filesystem server has.
type ServerOptions struct {
	// The folder, with a slash at its end or without, or a file: address of it. A relative one is below the folder in which
	// the gateway was started. It need not be there: as long as it is not, nothing can be had.
	Location string `config:"location,required"`
	// What becomes of symbolic links: ignore is that they are not there, follow that they lead to where they point, as long
	// as that is below the location. An absolute one has to name the location as it is written here, or by its path without
	// links; a relative one that leaves it is not there, even if it comes back.
	Symlinks Symlinks

	folder string
}

// Symlinks is what becomes of symbolic links.
type Symlinks string

// What may become of them.
const (
	Ignore Symlinks = "ignore"
	Follow Symlinks = "follow"
)

// Values are the shape: what a file may say.
func (Symlinks) Values() []string { return []string{string(Ignore), string(Follow)} }

// Defaults is what holds for keys that are left out.
func (o *ServerOptions) Defaults() { o.Symlinks = Ignore }

// Check tells what is wrong with the location, and makes it ready.
func (o *ServerOptions) Check(r *config.Report) {
	at := r.At(&o.Location)
	o.folder = o.Location
	scheme, rest, _ := strings.Cut(o.Location, ":")
	switch scheme = strings.ToLower(scheme); {
	case o.Location == "":
		r.Errorf(at, "the location must not be empty").Hintf("the folder in which the gateway was started is .")
		return
	case strings.ContainsRune(o.Location, 0):
		r.Errorf(at, "a location has no NUL in it")
		return
	case scheme == "http" || scheme == "https":
		if strings.HasPrefix(rest, "//") {
			r.Errorf(at, "a location that is served by %s is not built yet", scheme).Hintf("name a folder of this machine")
			return
		}
	case scheme == "file" && strings.HasPrefix(rest, "/"):
		u, err := url.Parse(o.Location)
		if err != nil || u.Host != "" && u.Host != "localhost" || u.RawQuery != "" || u.Path == "" {
			r.Errorf(at, "this is no address of a folder of this machine").Hintf("write file:///var/www, or /var/www")
			return
		}
		o.folder = u.Path
	}
	o.folder = filepath.Clean(o.folder)
}
