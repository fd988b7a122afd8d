//! O que acontece e se conta na hora: ao placar, que soma, e ao painel, que mostra. Só há dados.

use std::sync::mpsc::Sender;
use std::time::Duration;

use protocolo::{Comando, Mensagem};

use crate::conversa::fim_de_linha::FimDeLinha;
use crate::historia::vivido::Falha;

/// Por onde cada sessão conta ao painel: o número do usuário, quando, e o quê.
pub type Canal = Sender<(usize, Duration, Evento)>;

/// Algo que aconteceu a um usuário.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Evento {
    /// O servidor deste índice ainda não aceita conexões; continua-se tentando.
    Esperando(usize),
    /// O servidor não entende comandos que terminam em LF: a multidão os termina assim.
    FimDeLinha(FimDeLinha),
    /// Conectou.
    Entrou,
    /// Deixou a conexão.
    Saiu,
    /// Comprou uma unidade.
    Comprou,
    /// Ouviu que o produto esgotou.
    Recusado,
    /// Terminou um ciclo.
    Ciclo,
    /// Ouviu um AVISO, com estas palavras.
    Aviso(String),
    /// Uma troca completa: o que enviou, o que ouviu e quanto demorou.
    Troca(Comando, Mensagem, Duration),
    /// Algo deu errado.
    Falhou(Falha),
}
