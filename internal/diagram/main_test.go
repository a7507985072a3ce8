package main

import (
	"bytes"
	"encoding/xml"
	"errors"
	"io"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestPictureIsUpToDate(t *testing.T) {
	committed, err := os.ReadFile("../../docs/request.svg")
	require.NoError(t, err)
	assert.Equal(t, string(draw()), string(committed), "run go generate ./internal/diagram")
}

// The picture is well-formed, has a title, and shows every layer.
func TestPicture(t *testing.T) {
	svg := draw()
	dec := xml.NewDecoder(bytes.NewReader(svg))
	for {
		_, err := dec.Token()
		if errors.Is(err, io.EOF) {
			break
		}
		require.NoError(t, err)
	}
	assert.Contains(t, string(svg), "<title")
	assert.Contains(t, string(svg), "prefers-color-scheme: dark")
	for _, l := range layers {
		assert.Equal(t, 1, strings.Count(string(svg), ">"+l.name+"<"), l.name)
	}
}
