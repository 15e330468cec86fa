package worker

import (
	"encoding/json"
	"errors"

	"trafficgpt/interp"
)

func newSession(opts json.RawMessage, fatal func(*interp.Error)) (interp.Engine, error) {
	return nil, errors.New("no session")
}
