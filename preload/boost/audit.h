/*
 * audit.h: what the constructor has to tell the auditor.
 */
#pragma once

/* The constructor's, in the auditor's own namespace, where there is no libc to have it from. */
void audit_expect(char *const *envp);
