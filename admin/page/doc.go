// Package page is a page on which people see how a gateway does: the graph of its bindings with what flows through it
// now, its connections and its last records. It is for a browser on the same machine, and changes nothing.
//
//	admin.Source -view-> page.html -Handler-> http://127.0.0.1:PORT/
//	  Graph -arrange-> boxes and lines -> SVG
//
// All of it is made here, on the server. A script, which a browser may do without, fetches the page again every other
// second and exchanges what has changed.
package page
