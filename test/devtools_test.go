package test

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"syscall"
	"testing"
	"time"

	"github.com/coder/websocket"
	"github.com/coder/websocket/wsjson"
)

// A chromium is a browser whose tabs are driven by the DevTools protocol.
type chromium struct {
	t    testing.TB
	ctx  context.Context
	conn *websocket.Conn
	id   int
}

// openChromium starts a browser that runs until the test ends.
func openChromium(t testing.TB) *chromium {
	t.Helper()
	i := slices.IndexFunc(browsers, func(name string) bool { _, err := exec.LookPath(name); return err == nil })
	path := need(t, browsers[max(i, 0)], browsers[0])
	dir, err := os.MkdirTemp("", "browser")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	ctx, cancel := context.WithTimeout(t.Context(), 2*patience)
	t.Cleanup(cancel)
	cmd := exec.Command(path, "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--hide-scrollbars",
		"--user-data-dir="+dir, "--remote-debugging-port=0", "about:blank")
	out := newOutput()
	cmd.Stderr = out
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) // its children too
		cmd.Wait()
	})
	listening := regexp.MustCompile(`DevTools listening on (ws://\S+)`)
	eventually(t, "the browser listens", func() bool { return listening.MatchString(out.String()) })
	c := &chromium{t: t, ctx: ctx}
	if c.conn, _, err = websocket.Dial(ctx, listening.FindStringSubmatch(out.String())[1], nil); err != nil {
		t.Fatal(err)
	}
	c.conn.SetReadLimit(16 << 20)
	t.Cleanup(func() { c.conn.CloseNow() })
	return c
}

// call has the browser, or one of its tabs, do something, and puts what comes of it into result.
func (c *chromium) call(tab, method string, params map[string]any, result any) {
	c.t.Helper()
	c.id++
	ask := map[string]any{"id": c.id, "method": method, "params": params}
	if tab != "" {
		ask["sessionId"] = tab
	}
	if err := wsjson.Write(c.ctx, c.conn, ask); err != nil {
		c.t.Fatal(err)
	}
	for {
		var said struct {
			ID     int
			Result json.RawMessage
			Error  *struct{ Message string }
		}
		if err := wsjson.Read(c.ctx, c.conn, &said); err != nil {
			c.t.Fatalf("%s: %v", method, err)
		}
		if said.ID != c.id { // an event
			continue
		}
		if said.Error != nil {
			c.t.Fatalf("%s: %s", method, said.Error.Message)
		}
		if result != nil {
			if err := json.Unmarshal(said.Result, result); err != nil {
				c.t.Fatal(err)
			}
		}
		return
	}
}

// tab opens a page in a tab of its own.
func (c *chromium) tab(url string) (id string) {
	c.t.Helper()
	var target struct{ TargetID string }
	c.call("", "Target.createTarget", map[string]any{"url": url, "width": 480, "height": 360}, &target)
	var session struct{ SessionID string }
	c.call("", "Target.attachToTarget", map[string]any{"targetId": target.TargetID, "flatten": true}, &session)
	return session.SessionID
}

// eval is the value of an expression in a page.
func (c *chromium) eval(tab, expression string) any {
	c.t.Helper()
	var got struct {
		Result           struct{ Value any }
		ExceptionDetails *struct{ Text string }
	}
	c.call(tab, "Runtime.evaluate", map[string]any{"expression": expression, "returnByValue": true}, &got)
	if got.ExceptionDetails != nil {
		c.t.Fatalf("%s: %s", expression, got.ExceptionDetails.Text)
	}
	return got.Result.Value
}

// await waits until an expression is true in a page.
func (c *chromium) await(tab, expression string) {
	c.t.Helper()
	for end := time.Now().Add(patience); time.Now().Before(end); time.Sleep(20 * time.Millisecond) { // the page may be another one by now
		if c.eval(tab, "try { "+expression+" } catch { false }") == true {
			return
		}
	}
	c.t.Fatalf("it does not come to %s; the page says %q", expression, c.eval(tab, "document.body && document.body.innerText"))
}

// shoot takes a picture of a page.
func (c *chromium) shoot(tab, file string) {
	c.t.Helper()
	var shot struct{ Data string }
	c.call(tab, "Page.captureScreenshot", map[string]any{"format": "png"}, &shot)
	png, err := base64.StdEncoding.DecodeString(shot.Data)
	if err != nil || len(png) < 1000 {
		c.t.Fatalf("the picture has %d bytes, %v", len(png), err)
	}
	if err := os.WriteFile(file, png, 0o644); err != nil {
		c.t.Fatal(err)
	}
}

// TestExampleChat has two tabs of a browser talk to each other. With PICTURE it leaves a picture of the second one there.
func TestExampleChat(t *testing.T) {
	m := manualOf(t, "chat")
	m.strict("examples/chat/zilla.yaml")
	g := m.start("zilla.yaml")
	c := openChromium(t)
	page := fmt.Sprintf("http://localhost:%d/", m.port[7114])
	ann, bob := c.tab(page), c.tab(page)
	for _, tab := range []string{ann, bob} {
		c.await(tab, `document.readyState === "complete" && document.getElementById("state").textContent === "connected"`)
	}
	say := func(tab, name, text string) {
		c.eval(tab, fmt.Sprintf(`document.getElementById("name").value = %q; document.getElementById("text").value = %q; document.querySelector("button").click()`, name, text))
	}
	lines := func(n int) string { return fmt.Sprintf(`document.querySelectorAll("#said li").length === %d`, n) }
	say(ann, "Ann", "Is anybody there?")
	c.await(bob, lines(1))
	say(bob, "Bob", "Äh … yes: <b>me</b>")
	want := "Ann|Is anybody there?|Bob|Äh … yes: <b>me</b>"
	for tab, own := range map[string]string{ann: "Ann", bob: "Bob"} {
		c.await(tab, lines(2))
		if got := c.eval(tab, `[...document.querySelectorAll("#said li")].flatMap(l => [l.firstChild.textContent, l.lastChild.textContent]).join("|")`); got != want {
			t.Errorf("%s sees %q, not %q", own, got, want)
		}
		if got := c.eval(tab, `document.querySelector("#said li.own b").textContent`); got != own {
			t.Errorf("%s is taken for %q", own, got)
		}
	}
	if file := os.Getenv("PICTURE"); file != "" {
		c.shoot(bob, file)
	}
	c.shoot(bob, m.dir+"/chat.png")
	// A gateway that ends says so, and the page comes again once there is another one.
	g.terminate()
	c.await(ann, `document.getElementById("state").textContent === "gone: the gateway ends"`)
	m.start("zilla.yaml")
	for _, tab := range []string{ann, bob} {
		c.await(tab, `document.getElementById("state").textContent === "connected"`)
	}
	say(ann, "Ann", "Where were we?")
	c.await(bob, lines(3))
}
