"""The programs that tests/bench/suite and tests/bench/accuracy start, and what they need made first."""

import contextlib
import os
import shutil
import subprocess
import sys
import tempfile

# Everything that a program of the suite gets to see of the caller's environment.
SEARCH_PATH = '/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin'

PYTHON = '''import boto3
keys = dict(region_name='eu-west-1', aws_access_key_id='none', aws_secret_access_key='none')
boto3.client('s3', **keys)
boto3.client('dynamodb', **keys)
'''

NODE = '''const { S3Client } = require('@aws-sdk/client-s3');
const { DynamoDBClient } = require('@aws-sdk/client-dynamodb');
new S3Client({ region: 'eu-west-1' });
new DynamoDBClient({ region: 'eu-west-1' });
'''
NODE_PACKAGES = ['@aws-sdk/client-s3@3.1169.0', '@aws-sdk/client-dynamodb@3.1164.0']

JAVA = '''import java.time.*;
import java.util.*;
import java.util.concurrent.*;
import java.util.regex.*;
import java.util.stream.*;

public class Main {
    public static void main(String[] arguments) throws Exception {
        Map<String, Long> words = Pattern.compile(" ").splitAsStream("to be or not to be")
            .collect(Collectors.groupingBy(word -> word, TreeMap::new, Collectors.counting()));
        ExecutorService pool = Executors.newFixedThreadPool(2);
        int sum = pool.submit(() -> words.values().stream().mapToInt(Long::intValue).sum()).get();
        pool.shutdown();
        System.out.println(String.format("%s %d %s", words, sum, Instant.ofEpochSecond(sum)));
    }
}
'''


class Program:
    """A command that starts, does a little, and ends with 0. `make` is called once with a folder of
    the program's own; what it makes stays there. `warm_only`: for what a process start costs."""

    def __init__(self, name, command, make=None, warm_only=False):
        self.name = name
        self.command = command
        self.make = make
        self.warm_only = warm_only


def write(path, text):
    with open(path, 'w', encoding='utf-8') as out:
        out.write(text)


def run(command, **more):
    result = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                            stderr=subprocess.STDOUT, text=True, check=False, **more)
    if result.returncode:
        sys.exit(f'{" ".join(command)}: exit status {result.returncode}\n{result.stdout}')


def make_python(folder):
    write(f'{folder}/main.py', PYTHON)


def make_node(folder):
    write(f'{folder}/package.json', '{"private": true}\n')
    write(f'{folder}/main.js', NODE)
    run(['npm', 'install', '--no-audit', '--no-fund', *NODE_PACKAGES], cwd=folder)


def make_java(folder):
    write(f'{folder}/Main.java', JAVA)
    run(['javac', '-d', folder, f'{folder}/Main.java'])


def make_video(folder):
    run(['ffmpeg', '-v', 'error', '-y', '-f', 'lavfi', '-i', 'testsrc=duration=0.2:size=128x96',
         '-c:v', 'mpeg4', f'{folder}/in.avi'])


def make_repository(folder):
    def git(*arguments):
        run(['git', '-C', folder, '-c', 'user.name=nobody', '-c', 'user.email=nobody@example.org',
             '-c', 'gc.auto=0', *arguments])

    git('init', '-q')
    for commit in range(30):
        for number in range(40):
            write(f'{folder}/file{number}', ''.join(f'{commit} {number} {line}\n' * (line % 7)
                                                    for line in range(200)))
        git('add', '.')
        git('commit', '-q', '-m', f'Change number {commit}')
    git('repack', '-q', '-a', '-d')


def all_programs(cache):
    """Those whose commands are installed, in the order of the tables."""
    def place(name):
        return os.path.join(cache, name)

    listed = [
        Program('python3', ['/usr/bin/python3', place('python3/main.py')], make_python),
        Program('node', ['node', place('node/main.js')], make_node),
        Program('java', ['java', '-cp', place('java'), 'Main'], make_java),
        Program('ffmpeg', ['ffmpeg', '-version']),
        Program('transcode', ['ffmpeg', '-v', 'error', '-i', place('transcode/in.avi'), '-c:v',
                              'libx264', '-f', 'null', '-'], make_video),
        Program('git', ['git', '-C', place('git'), 'log', '--stat', '-5'], make_repository),
        Program('clang', [next(filter(shutil.which, ['clang-tidy', 'clang-tidy-14', 'clang-14']),
                               'clang'), '--version']),
        Program('true', ['true'], warm_only=True),
    ]
    found = []
    for program in listed:
        executable = shutil.which(program.command[0], path=SEARCH_PATH)
        if executable:
            program.command[0] = executable
            found.append(program)
    return found


def prepare(program, cache):
    """Makes what the program needs, once: a folder of its name in the cache."""
    folder = os.path.join(cache, program.name)
    if os.path.exists(folder):
        return
    unfinished = folder + '.new'
    shutil.rmtree(unfinished, ignore_errors=True)
    os.makedirs(unfinished)
    if program.make:
        program.make(unfinished)
    os.rename(unfinished, folder)


def install(path, folder):
    """A copy as an installation has it, without symbols. The folder is to be near the root: the way to it is part
    of a cold start."""
    copy = shutil.copy2(path, folder)
    run(['strip', copy])
    return copy


@contextlib.contextmanager
def installation(build, *parts):
    """A folder with copies of these parts of a build; it is gone afterwards."""
    with tempfile.TemporaryDirectory(prefix='coldboost-', dir='/var') as folder:
        os.chmod(folder, 0o755)
        for part in parts:
            install(os.path.join(build, part), folder)
        yield folder


def environment(cache):
    return {'PATH': SEARCH_PATH, 'HOME': cache, 'LC_ALL': 'C.UTF-8'}
