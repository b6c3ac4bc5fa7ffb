//go:build race

package coremodel

const raced = true
