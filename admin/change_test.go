package admin_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"gozilla/admin"
	"gozilla/config"
	"gozilla/engine"
)

// Generation is part of admin.Gateway.
func (s *source) Generation() int64 { return 3 }

// Compare is part of admin.Gateway: it has a change for good text, and a fault for bad.
func (s *source) Compare(ctx context.Context, c config.Source, o engine.Options) *engine.Outcome {
	if string(c.Text) == "bad" {
		r := &config.Report{}
		r.Errorf(config.Pos{File: c.Name, Line: 1, Column: 2}, "it is bad")
		return &engine.Outcome{Plan: &engine.Plan{Report: r}, Err: r.Err()}
	}
	if len(c.Text) == 0 {
		return &engine.Outcome{Plan: engine.Load(ctx, c, o), Err: errors.New("the configuration is missing or empty")}
	}
	return &engine.Outcome{Change: &engine.Change{Components: []engine.ComponentChange{{Name: c.Name, Why: o.Folder, Does: engine.Adds}}}}
}

// Reload is part of admin.Gateway: there is nothing to read.
func (s *source) Reload(context.Context) *engine.Outcome {
	return &engine.Outcome{Err: errors.New("the configuration is missing or empty")}
}

func TestPlanAndReload(t *testing.T) {
	dir, stop := serve(t, newSource())
	defer stop()
	c := admin.Dial(dir)
	got, err := c.Plan(t.Context(), admin.Draft{Name: "new.yaml", Folder: "/etc", Text: "good"})
	if err != nil || got.Generation != 3 || got.Error != "" || len(got.Change.Components) != 1 ||
		got.Change.Components[0].Name != "new.yaml" || got.Change.Components[0].Why != "/etc" {
		t.Errorf("the plan is %+v, %v", got, err)
	}
	got, err = c.Plan(t.Context(), admin.Draft{Name: "new.yaml", Text: "bad"})
	if err != nil || got.Change != nil || got.Error != "new.yaml:1:2: it is bad" || len(got.Faults) != 1 || got.Report != "new.yaml:1:2: it is bad\n" {
		t.Errorf("the plan is %+v, %v", got, err)
	}
	got, err = c.Plan(t.Context(), admin.Draft{Name: "none.yaml"})
	if want := "none.yaml: the configuration is missing or empty"; err != nil || got.Error != want || len(got.Faults) != 1 || got.Faults[0] != want {
		t.Errorf("the plan is %+v, %v", got, err)
	}
	if !got.Loaded.Equal(time.Unix(1, 0)) {
		t.Errorf("it is in service since %v", got.Loaded)
	}
	got, err = c.Reload(t.Context(), false)
	if err != nil || got.Error != "the configuration is missing or empty" || got.Generation != 3 || got.Report != "" {
		t.Errorf("the reload is %+v, %v", got, err)
	}
}
