//! O turno de produção (`Balcao` e `Conexao`), passo a passo, com fluxos em memória.
//!
//! Cada teste é uma cena curta: clientes entram, mandam bytes, o turno gira, e se confere o que
//! cada um ouviu, byte por byte. O fluxo é o [`mesa::FluxoFalso`], mais severo que o Linux, e o
//! relógio só anda quando a cena manda: nada dorme, nada depende da sorte, e uma hora ocioso leva
//! microssegundos. Por baixo de todas as cenas, a [`Mesa`] confere em cada turno que marcar não
//! toca em fluxo nenhum, que ninguém é lido duas vezes e que toda leitura vem antes de qualquer
//! escrita.
//!
//! Aqui não há socket, mio, sinais, registro nem threads: disso cuidam os testes de ponta a ponta.
//! E as regras do enquadramento e do estoque têm os seus testes onde elas moram; aqui se prova que
//! o turno as usa na hora certa.

use std::time::Duration;

use proptest::prelude::*;
use proptest::sample::Index;
use protocolo::{LINHA_MAXIMA, Mensagem};
use servidor::balcao::{Contas, Limites};
use servidor::conexao::{
    LEITURA_POR_TURNO, PRAZO_DA_LINHA, PRAZO_DA_SAIDA, PRAZO_PARA_FECHAR, Prontidao,
};

mod acaso;
mod enganos;
mod eventos;
mod fim;
mod mesa;
mod orcamento;
mod respostas;
mod ritmo;

use mesa::Gesto::{Escreveu, Leu};
use mesa::{Cliente, Mesa};

const AVISO: &str = "AVISO: O estoque acabou de esgotar!\n";
const ULTIMA: &str = "Compra realizada. Estoque restante: 0\n";
const ADEUS: &str = "Volte sempre!\n";
const ENCERRANDO: &str = "ERRO: Servidor encerrando\n";
const OCIOSO: &str = "ERRO: Tempo demais sem nenhum comando\n";
const LOTADO: &str = "ERRO: Servidor lotado\n";
const LOTADO_PARA_O_IP: &str = "ERRO: Servidor lotado para o seu IP\n";

const UM_SEGUNDO: Duration = Duration::from_secs(1);
const UMA_HORA: Duration = Duration::from_secs(3600);

/// Linhas vazias e, no fim, `palavra`, de modo que uma leitura traga tudo e venha cheia.
fn leitura_cheia_que_termina_em(palavra: &str) -> String {
    "\n".repeat(LEITURA_POR_TURNO - palavra.len()) + palavra
}
