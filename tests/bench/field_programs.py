"""The programs that tests/bench/field measures: those of tests/field, on which no part of the replay was tuned."""

import os
import shutil

from suite_programs import run, write

SHORT, CHILDREN, LONG, SERVER = 'short', 'children', 'long', 'server'

NGINX = '''daemon off; worker_processes 2; pid {0}/pid; error_log stderr; events {{}}
http {{ access_log off; client_body_temp_path {0}/b; proxy_temp_path {0}/p; fastcgi_temp_path {0}/f;
uwsgi_temp_path {0}/u; scgi_temp_path {0}/s; server {{ listen 127.0.0.1:{1}; return 200 answered; }} }}
'''
NODE = "require('http').createServer((_, answer) => answer.end('a')).listen({1}, '127.0.0.1')\n"
JAVA = '''import com.sun.net.httpserver.HttpServer;
import java.net.InetSocketAddress;
public class Server {{
    public static void main(String[] arguments) throws Exception {{
        HttpServer server = HttpServer.create(new InetSocketAddress("127.0.0.1", {1}), 0);
        server.createContext("/", exchange -> exchange.sendResponseHeaders(204, -1));
        server.start();
    }}
}}
'''
WSGI = '''def application(_, start):
    start("200 OK", [("Content-Type", "text/plain")])
    return [b"a"]
'''


class FieldProgram:
    """A command in a folder of its own, `{}` in it; with a port it is a server, which is measured until
    that port answers. files: what is written there first, make: a command that is run there once."""

    def __init__(self, name, kind, command, files=None, make=None, port=None):
        self.name, self.kind, self.make, self.port = name, kind, make, port
        self.command, self.files = command, files or {}

    def prepare(self, cache):
        """Returns the command."""
        folder = os.path.join(cache, self.name)
        if not os.path.exists(folder):
            os.makedirs(folder)
            for name, text in self.files.items():
                write(os.path.join(folder, name), text.format(folder, self.port))
            if self.make:
                run(self.make, cwd=folder)
        return [word.replace('{}', folder) for word in self.command]


def field_programs():
    """Those whose commands are installed."""
    listed = [
        FieldProgram('sqlite3', SHORT, ['sqlite3', ':memory:', 'select 6 * 7']),
        FieldProgram('perl', SHORT, ['perl', '-MPOSIX', '-MData::Dumper', '-e', 'print Dumper([1])']),
        FieldProgram('vim', SHORT, ['vim', '-u', 'NONE', '-es', '-c', 'q']),
        FieldProgram('nginx -t', SHORT, ['nginx', '-t', '-e', 'stderr', '-c', '{}/conf'], {'conf': NGINX}),
        FieldProgram('php', SHORT, ['php', '-r', 'echo json_encode([1, 2]);']),
        FieldProgram('psql', SHORT, ['psql', '--version']),
        FieldProgram('apt-cache', SHORT, ['apt-cache', 'policy', 'base-files']),
        FieldProgram('cmake', SHORT, ['cmake', '--version']),
        FieldProgram('zcat', CHILDREN, ['sh', '-c', 'zcat {}/a.gz | wc'], {'a': 'text\n' * 1000},
                     ['gzip', 'a']),
        FieldProgram('gcc', CHILDREN, ['gcc', '-O2', '-o', '{}/a', '{}/a.c'],
                     {'a.c': '#include <stdio.h>\nint main(void) {{ return puts("a") < 0; }}\n'}),
        FieldProgram('ghc', CHILDREN, ['ghc', '-v0', '-fforce-recomp', '-o', '{}/a', '{}/a.hs'],
                     {'a.hs': 'main :: IO ()\nmain = print 1\n'}),
        FieldProgram('Rscript', CHILDREN, ['Rscript', '-e', 'cat(1 + 1)']),
        FieldProgram('dot', CHILDREN, ['sh', '-c', 'echo "digraph { a -> b }" | dot -Tsvg']),
        FieldProgram('gdb', LONG, ['gdb', '-nx', '-batch', '-ex', 'info inferiors']),
        FieldProgram('ruby', LONG, ['ruby', '-rjson', '-ropenssl', '-e', 'puts JSON.generate(a: 1)']),
        FieldProgram('emacs', LONG, ['emacs', '-Q', '--batch', '--eval', '(message "a")']),
        FieldProgram('node', LONG, ['node', '-e', '1']),
        FieldProgram('soffice', LONG, ['soffice', '--headless', '--convert-to', 'pdf', '--outdir', '{}', '{}/a.txt'],
                     {'a.txt': 'text\n'}),
        FieldProgram('nginx', SERVER, ['nginx', '-e', 'stderr', '-c', '{}/conf'], {'conf': NGINX}, port=7201),
        FieldProgram('redis', SERVER, ['redis-server', '--port', '7202', '--save', '', '--dir', '{}'], port=7202),
        FieldProgram('node server', SERVER, ['node', '{}/server.js'], {'server.js': NODE}, port=7203),
        FieldProgram('java server', SERVER, ['java', '-cp', '{}', 'Server'], {'Server.java': JAVA},
                     ['javac', 'Server.java'], 7204),
        FieldProgram('http.server', SERVER, ['/usr/bin/python3', '-m', 'http.server', '7205'], port=7205),
        FieldProgram('gunicorn', SERVER, ['gunicorn', '--workers', '2', '--bind', '127.0.0.1:7206', '--chdir', '{}',
                                          'answer:application'], {'answer.py': WSGI}, port=7206),
    ]
    return [program for program in listed if shutil.which(program.command[0])]
