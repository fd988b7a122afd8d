//! A multidão da atividade (§5): usuários simulados que consultam, decidem, compram e escutam, e no
//! fim testemunham se o servidor vendeu direito.
//!
//! Cada sala só usa as que estão abaixo dela, e cada uma mostra por dentro o seu mapa:
//!
//! ```text
//!   main                          escolhe o que fazer, e é o único que decide o código de saída
//!   turma                         dá nota a uma pasta de entregas, cada uma isolada
//!   avaliacao                     dá nota a um servidor, com a mesma auditoria
//!   comparacao                    duas simulações lado a lado, pelos JSON delas
//!   multidao        relatorio     os usuários simulados, em threads;  o JSON e a página, com os gráficos
//!   opcoes                        a linha de comando
//!   exigencia       auditoria     o que um script exige dos números;  as regras e o veredito: funções puras
//!   historia                      o que se viveu, guardado e contado
//!   conversa                      um socket, e o que se entende do que o servidor diz
//!   tempo, cores, saida, shell, sistema  as durações, as cores, os arquivos, as aspas; o que muda entre sistemas
//! ```
//!
//! # O que nunca muda
//!
//! - [`multidao::usuario`] e [`multidao::roteiro`] não olham o relógio nem conhecem sockets: o tempo é um argumento,
//!   e vinte ciclos de dez segundos são testados em microssegundos.
//! - As threads não compartilham quase nada enquanto simulam: cada uma *devolve* as suas histórias. Há
//!   o pedido de parada, um canal de eventos, que o painel consome, o fim de linha, que se descobre uma
//!   vez, o instante em que alguém viu o estoque vazio, e a [`historia::guarda`], a que um usuário só vai a cada
//!   256 operações.
//! - O que o servidor diz não é confiável: números negativos, textos estranhos e mensagens coladas
//!   são fatos a registrar, nunca motivo para parar.
//! - O cliente não sabe como o servidor é feito: só o protocolo os une.

pub mod auditoria;
pub mod avaliacao;
pub mod comparacao;
pub mod conversa;
mod cores;
pub mod exigencia;
pub mod historia;
pub mod multidao;
pub mod observacao;
pub mod opcoes;
pub mod relatorio;
pub mod saida;
pub mod shell;
pub mod sistema;
pub mod tempo;
#[cfg(unix)]
pub mod turma;
