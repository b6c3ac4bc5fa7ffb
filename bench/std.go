//go:build linux

package main

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strconv"
	"time"
)

// stdServer is a server of Go that speaks both versions of HTTP in the clear.
func stdServer(h http.Handler) *http.Server {
	s := &http.Server{Handler: h, ReadHeaderTimeout: time.Minute, Protocols: new(http.Protocols)}
	s.Protocols.SetHTTP1(true)
	s.Protocols.SetUnencryptedHTTP2(true)
	return s
}

// stdBackend serves bodies that are too large to be kept, until it is killed: GET has so many bytes as the path says, POST
// is read and answered by how many they were.
func stdBackend() error {
	l, err := net.FileListener(os.NewFile(listenerFD, "listener"))
	if err != nil {
		return fmt.Errorf("cannot use inherited listener: %w", err)
	}
	s := stdServer(http.HandlerFunc(large))
	if err := s.Serve(l); err != nil {
		return fmt.Errorf("cannot serve: %w", err)
	}
	return nil
}

func large(w http.ResponseWriter, r *http.Request) {
	if r.Method == http.MethodPost {
		n, err := io.CopyBuffer(struct{ io.Writer }{io.Discard}, struct{ io.Reader }{r.Body}, make([]byte, bulkSize))
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		fmt.Fprint(w, n)
		return
	}
	rest, err := strconv.Atoi(r.URL.Path[1:])
	if err != nil {
		http.Error(w, err.Error(), http.StatusNotFound)
		return
	}
	w.Header().Set("Content-Length", strconv.Itoa(rest))
	for rest > 0 {
		n, err := w.Write(patternAt(0, min(rest, bulkSize)))
		if err != nil {
			return
		}
		rest -= n
	}
}
