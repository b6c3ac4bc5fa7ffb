module gozilla

go 1.26.0

require (
	github.com/go-jose/go-jose/v4 v4.1.9
	go.yaml.in/yaml/v4 v4.0.0
	golang.org/x/net v0.62.0
	golang.org/x/sys v0.50.0
)

require golang.org/x/text v0.43.0 // indirect
