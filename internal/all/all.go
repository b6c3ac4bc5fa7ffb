// Package all links every component type into a program that imports it, and the comments of their config structs.
package all

//go:generate go run gozilla/internal/gen
//go:generate go run gozilla/internal/gen/pages
