package deploymenttest

import (
	"encoding/json"
	"net/http"
	"strings"
)

// verbs are what an operation's name begins with, by the method.
var verbs = map[string]string{"GET": "Get", "POST": "Create", "PUT": "Update", "DELETE": "Delete"}

// watches reads a call on a dashboard or an alert of a project.
func (s *Server) watches(
	c Call, r *http.Request, project string, body []byte,
) (Call, func() (any, *refusal), *refusal) {
	parts := strings.Split(strings.Trim(r.URL.Path, "/"), "/")
	kind, nameField := "Dashboard", "dashboardName"
	if parts[0] == "alerts" {
		kind, nameField = "Alert", "name"
	}
	c.Op = verbs[r.Method] + kind
	return c, func() (any, *refusal) {
		have, there := s.Projects[project]
		if !there {
			return nil, &refusal{404, "ProjectNotExist", "The Project does not exist : " + project}
		}
		all := &have.Dashboards
		if kind == "Alert" {
			all = &have.Alerts
		}
		made(all)
		return keep(*all, r.Method, parts[1:], kind, nameField, body)
	}, nil
}

// records reads a call on a record of the account. All regions share those of one.
func (s *Server) records(
	c Call, r *http.Request, region string, body []byte,
) (Call, func() (any, *refusal), *refusal) {
	parts := strings.Split(strings.Trim(r.URL.Path, "/"), "/")
	c.Op = verbs[r.Method] + "ResourceRecord"
	if region != "cn-heyuan" || len(parts) < 3 || parts[2] != "records" {
		return c, nil, &refusal{404, "InvalidPath", "there is no such operation in " + region}
	}
	return c, func() (any, *refusal) {
		made(&s.Records)
		if s.Records[parts[1]] == nil {
			s.Records[parts[1]] = &Records{}
		}
		ids := parts[3:]
		if r.Method == "DELETE" {
			ids = []string{r.URL.Query().Get("ids")}
		}
		made((*map[string]*json.RawMessage)(s.Records[parts[1]]))
		return keep(*s.Records[parts[1]], r.Method, ids, "ResourceRecord", "id", body)
	}, nil
}

// keep reads or changes one of the things that are kept as they were sent.
func keep(
	all map[string]*json.RawMessage, method string, name []string, kind, nameField string,
	body []byte,
) (any, *refusal) {
	sent := object{}
	if method == "POST" || method == "PUT" {
		if json.Unmarshal(body, &sent) != nil {
			return nil, &refusal{400, "ParameterInvalid", "the body is not JSON"}
		}
		called, _ := sent[nameField].(string)
		if called == "" || method == "PUT" && (len(name) != 1 || name[0] != called) {
			return nil, &refusal{400, "ParameterInvalid", nameField}
		}
		name = []string{called}
	}
	if len(name) != 1 {
		return nil, &refusal{404, "InvalidPath", "there is no such operation"}
	}
	have, there := all[name[0]]
	switch {
	case method == "POST" && there:
		return nil, &refusal{400, kind + "AlreadyExist", name[0] + " exists"}
	case method != "POST" && !there:
		return nil, &refusal{404, kind + "NotExist", name[0] + " does not exist"}
	case method == "DELETE":
		delete(all, name[0])
		return nil, nil
	case method == "GET":
		answer := object{}
		_ = json.Unmarshal(*have, &answer)
		return answer, nil
	}
	text := json.RawMessage(body)
	all[name[0]] = &text
	return nil, nil
}

func (s *Server) initUserAlertResource(p map[string]string) (any, *refusal) {
	name := "sls-alert-" + Account + "-" + p["Region"]
	if _, there := s.Projects[name]; !there {
		s.Projects[name] = &Project{Stores: map[string]*Store{}}
	}
	return object{"Success": true, "Code": "200"}, nil
}
