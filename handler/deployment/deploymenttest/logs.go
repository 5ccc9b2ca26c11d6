package deploymenttest

import (
	"encoding/json"
	"net/http"
	"strings"
)

// logs reads and checks a call of Log Service. The project is the first label of
// the host: of the Host header, wherever the request was sent.
func (s *Server) logs(r *http.Request, body []byte) (Call, func() (any, *refusal), *refusal) {
	project, _, _ := strings.Cut(r.Host, ".")
	c := Call{Service: "sls", Op: r.Method + " " + r.URL.Path}
	if refused := s.checkLog(r, body); refused != nil {
		return c, nil, refused
	}
	switch {
	case strings.HasPrefix(r.URL.Path, "/resources/"):
		return s.records(c, r, project, body)
	case strings.HasPrefix(r.URL.Path, "/dashboards"), strings.HasPrefix(r.URL.Path, "/alerts"):
		return s.watches(c, r, project, body)
	case r.URL.Path == "/":
		c.Op = map[string]string{"GET": "GetProject", "POST": "CreateProject", "PUT": "UpdateProject"}[r.Method]
		return c, func() (any, *refusal) { return s.project(c.Op, project, body) }, nil
	case strings.HasSuffix(r.URL.Path, "/index"):
		c.Op = map[string]string{"GET": "GetIndex", "POST": "CreateIndex", "PUT": "UpdateIndex"}[r.Method]
		store := strings.TrimSuffix(strings.TrimPrefix(r.URL.Path, "/logstores/"), "/index")
		return c, func() (any, *refusal) { return s.index(c.Op, project, store, body) }, nil
	case strings.HasPrefix(r.URL.Path, "/logstores"):
		c.Op = map[string]string{"GET": "GetLogStore", "POST": "CreateLogStore"}[r.Method]
		return c, func() (any, *refusal) {
			return s.store(c.Op, project, strings.TrimPrefix(r.URL.Path, "/logstores/"), body)
		}, nil
	}
	return c, nil, &refusal{404, "InvalidPath", "there is no such operation"}
}

func (s *Server) project(op, name string, body []byte) (any, *refusal) {
	have, there := s.Projects[name]
	var sent struct{ ProjectName, Description string }
	if op != "GetProject" && (json.Unmarshal(body, &sent) != nil || sent.ProjectName != name) {
		return nil, &refusal{400, "ParameterInvalid", "projectName is not the host's"}
	}
	switch {
	case op == "CreateProject" && there:
		return nil, &refusal{400, "ProjectAlreadyExist", "Project " + name + " already exist"}
	case op != "CreateProject" && !there:
		return nil, &refusal{404, "ProjectNotExist", "The Project does not exist : " + name}
	case len(name) < 3 || len(name) > 63 || len(sent.Description) > 64 || strings.ContainsAny(sent.Description, `<>'"\`):
		return nil, &refusal{400, "ParameterInvalid", "projectName or description"}
	case op == "CreateProject":
		s.Projects[name] = &Project{Description: sent.Description, Stores: map[string]*Store{}}
		return nil, nil
	case op == "UpdateProject":
		have.Description = sent.Description
		return nil, nil
	}
	return object{
		"projectName": name,
		"description": have.Description,
		"owner":       Account,
		"status":      "Normal",
	}, nil
}

func (s *Server) store(op, project, name string, body []byte) (any, *refusal) {
	have, there := s.Projects[project]
	if !there {
		return nil, &refusal{404, "ProjectNotExist", "The Project does not exist : " + project}
	}
	if op == "GetLogStore" {
		store, there := have.Stores[name]
		if !there {
			return nil, &refusal{404, "LogStoreNotExist", "logstore " + name + " does not exist"}
		}
		return object{"logstoreName": name, "ttl": store.Days, "shardCount": 1}, nil
	}
	var sent struct {
		LogstoreName    string
		TTL, ShardCount int
	}
	if json.Unmarshal(body, &sent) != nil || sent.LogstoreName == "" || sent.TTL < 1 ||
		sent.ShardCount < 1 {
		return nil, &refusal{400, "ParameterInvalid", "logstoreName, ttl or shardCount"}
	}
	if _, there := have.Stores[sent.LogstoreName]; there {
		return nil, &refusal{400, "LogStoreAlreadyExist", "logstore already exists"}
	}
	made(&have.Stores)
	have.Stores[sent.LogstoreName] = &Store{Days: sent.TTL}
	return nil, nil
}

func (s *Server) index(op, project, name string, body []byte) (any, *refusal) {
	have, there := s.Projects[project]
	if !there {
		return nil, &refusal{404, "ProjectNotExist", "The Project does not exist : " + project}
	}
	store, there := have.Stores[name]
	switch {
	case !there:
		return nil, &refusal{404, "LogStoreNotExist", "logstore " + name + " does not exist"}
	case op == "CreateIndex" && store.Index != nil:
		return nil, &refusal{400, "IndexAlreadyExist", "log store index is already created"}
	case op != "CreateIndex" && store.Index == nil:
		return nil, &refusal{404, "IndexConfigNotExist", "index config doesn't exist"}
	case op == "GetIndex":
		answer := object{"index_mode": "v2", "lastModifyTime": 1}
		_ = json.Unmarshal(store.Index, &answer)
		return answer, nil
	}
	var sent struct {
		Keys    map[string]struct{ Type string }
		MaxText int `json:"max_text_len"`
	}
	if json.Unmarshal(body, &sent) != nil ||
		sent.MaxText != 0 && (sent.MaxText < 64 || sent.MaxText > 16384) {
		return nil, &refusal{400, "ParameterInvalid", "the index or its max_text_len"}
	}
	store.Index = append(json.RawMessage(nil), body...)
	return nil, nil
}
