package facts

import "testing"

// TestSecrets is what is shown of a query.
func TestSecrets(t *testing.T) {
	secrets := Secrets{"access_token", "t"}
	for path, want := range map[string]string{
		"":                            "",
		"/":                           "/",
		"/access_token=abc":           "/access_token=abc",
		"/?access_token=abc":          "/?access_token=***",
		"/?a=b&access_token=abc&c=d":  "/?a=b&access_token=***&c=d",
		"/?t=1&t=2":                   "/?t=***&t=***",
		"/?xt=1&t2=2&t":               "/?xt=1&t2=2&t",
		"/?t=&access_token=a=b=c&d":   "/?t=&access_token=***&d",
		"/?a?t=1":                     "/?a?t=1",
		"/?":                          "/?",
		"/?&&t=1&":                    "/?&&t=***&",
		"https://a.example/b?t=1#t=2": "https://a.example/b?t=***#t=***",
	} {
		if got := secrets.hide(path); got != want {
			t.Errorf("of %s there is shown %s, want %s", path, got, want)
		}
		if got := Secrets(nil).hide(path); got != path {
			t.Errorf("without secrets, of %s there is shown %s", path, got)
		}
	}
}
