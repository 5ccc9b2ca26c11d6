package events

import "testing"

func TestTimer(t *testing.T) {
	const timer = `{"triggerTime":"2026-11-25T03:30:00Z","triggerName":"nightly","payload":"sweep"}`
	for _, payload := range []string{
		timer, string(sample(t, "timer-sweep.json")), quote(timer), `{"payload":"sweep","triggerTime":7}`,
		`{"requestPayload":` + quote(timer) + `}`, `{"requestPayload":` + timer + `}`,
	} {
		if batch := check(t, payload); !batch.Sweep || batch.Records() != 0 {
			t.Errorf("%s: sweep %v, %d records; want a sweep without records", payload, batch.Sweep,
				batch.Records())
		}
	}
	for _, payload := range []string{
		`[]`, `{"events":[` + put(`"k"`) + `]}`,
		`{"requestPayload":"[]"}`,
	} {
		if batch, err := Decode([]byte(payload)); err != nil || batch.Sweep {
			t.Errorf("%s: sweep %v, error %v; want neither", payload, batch.Sweep, err)
		}
	}
}

func TestTimerErrors(t *testing.T) {
	const accepted = `; the payload of a timer must be "sweep"`
	for payload, want := range map[string]string{
		`"refresh everything"`:      `payload is "refresh everything"` + accepted,
		`"Sweep"`:                   `payload is "Sweep"` + accepted,
		`"sweep\n"`:                 `payload is "sweep\n"` + accepted,
		`""`:                        "payload is empty" + accepted,
		`null`:                      "payload is null" + accepted,
		`{"sweep":true}`:            `payload is not a string: "{\"sweep\":true}"` + accepted,
		`"sweep","payload":"sweep"`: `member "payload" is given twice`,
	} {
		checkError(t, `{"triggerTime":"2026-11-25T03:30:00Z","triggerName":"t","payload":`+payload+`}`,
			want)
	}
	checkError(t, `{"triggerTime":"2026-11-25T03:30:00Z"}`,
		"the record has no member payload"+accepted)
	checkError(t, `{"triggerName":"t","payload":"sweep"}`,
		`an object with the members "triggerName", "payload"`)
}

// TestTimerElsewhere: only the platform's own timer starts a sweep, not whoever can
// write to a queue.
func TestTimerElsewhere(t *testing.T) {
	const (
		timer = `{"triggerTime":"2026-11-25T03:30:00Z","payload":"sweep"}`
		wrong = "a timer's event must be the whole payload, or that of a dead letter"
	)
	for _, payload := range []string{
		`{"Message":` + quote(timer) + `}`, `{"attrs":{},"body":` + quote(timer) + `}`,
		`{"specversion":"1.0","type":"t","data":` + timer + `}`,
		`{"requestPayload":` + quote(`{"Message":`+quote(timer)+`}`) + `}`,
		`{"Message":` + quote(`{"requestPayload":`+quote(timer)+`}`) + `}`,
	} {
		checkError(t, payload, wrong)
	}
	for _, payload := range []string{`[` + timer + `]`, `[` + quote(timer) + `]`} {
		if batch := check(t, payload, "message 0 invalid: "+wrong); batch.Sweep {
			t.Errorf("%s: a sweep", payload)
		}
	}
	check(t, `[{"requestPayload":`+quote(timer)+`}]`,
		`message 0 invalid: reading requestPayload "{\"triggerTime\":\"2026-11-25T03:30:00Z\",\"payload\":\"sweep\"}": `+wrong)
}
