//go:build !race

package coremodel

const raced = false
