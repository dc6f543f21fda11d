/*
 * audit.h: what the auditor and the constructor have to tell each other.
 */
#ifndef CB_AUDIT_H
#define CB_AUDIT_H

/* The constructor's, in the auditor's own namespace, where there is no libc to have it from. */
void audit_expect(char *const *envp);

/*
 * What the auditor of this process has handed over, in the form of COLDBOOST_STARTED, and takes it
 * out of the environment; NULL if there was none. It stays valid.
 */
const char *audit_take_handover(char *const *envp);

#endif
