/* O servidor certo, em C: uma thread por conexão, um mutex, os textos do enunciado. */
#include <stdio.h>
#include <string.h>
#include <pthread.h>
#include <signal.h>
#include <unistd.h>
#include <arpa/inet.h>
#include <sys/socket.h>
int e=10; pthread_mutex_t m=PTHREAD_MUTEX_INITIALIZER;
void* h(void*p){int s=(long)p;char b[6000],o[100];int n;while((n=recv(s,b,sizeof b-1,0))>0){b[n]=0;b[strcspn(b,"\r\n")]=0;if(!strcmp(b,"CONSULTAR"))snprintf(o,100,"Estoque atual: %d\n",e);else if(!strcmp(b,"COMPRAR")){pthread_mutex_lock(&m);if(e>0){e--;snprintf(o,100,"Compra realizada. Estoque restante: %d\n",e);}else snprintf(o,100,"ERRO: Produto esgotado\n");pthread_mutex_unlock(&m);}else continue;send(s,o,strlen(o),0);}close(s);return 0;}
int main(){signal(SIGPIPE,SIG_IGN);int s=socket(AF_INET,SOCK_STREAM,0);struct sockaddr_in a={.sin_family=AF_INET,.sin_port=htons(12346)};if(bind(s,(void*)&a,sizeof a)){perror("bind");return 1;}listen(s,100);for(;;){int c=accept(s,0,0);pthread_t t;pthread_create(&t,0,h,(void*)(long)c);pthread_detach(t);}}
