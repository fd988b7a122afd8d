//! A primeira conversa: que fim de linha este servidor entende?
//!
//! Quem chega primeiro descobre para todos, com o CONSULTAR que ia mesmo mandar: nunca compra. Se o
//! servidor entende LF, como quase todos, a conversa segue sem que ele note nada. Senão, a história desta
//! tentativa se esquece, e começa outra: na mesma conexão, se ele respondeu algo (quem responde não guarda
//! um pedaço do comando), ou em uma nova, se calou.

use std::time::Duration;

use protocolo::Comando;

use super::Sessao;
use crate::conversa::escuta::ESPERA_DA_DE_VERDADE;
use crate::conversa::fim_de_linha::FimDeLinha;
use crate::multidao::usuario::Passo;

/// Quanto se espera a resposta a cada tentativa. Um servidor que funciona leva milissegundos, e quem não
/// respondeu a nenhuma é ouvido depois com o prazo de sempre.
const PRAZO: Duration = Duration::from_secs(2);

/// Como terminou uma tentativa.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Tentativa {
    /// O servidor entendeu; ou não há mais o que tentar, porque não se chega a ele ou se pediu a parada.
    Serve,
    /// Respondeu outra coisa.
    Outra,
    /// Nada disse, ou fechou.
    Nada,
}

/// O primeiro fim de linha que o servidor entende, e a sessão que já conversa assim. Na dúvida, LF.
pub(super) fn descobrir<'a>(nova: impl Fn(FimDeLinha) -> Sessao<'a>) -> (FimDeLinha, Sessao<'a>) {
    let mut ligacao = None;
    for fim_de_linha in FimDeLinha::TENTADOS {
        let mut sessao = nova(fim_de_linha);
        sessao.ligacao = ligacao.take();
        match tentar(&mut sessao) {
            Tentativa::Serve => return (fim_de_linha, sessao),
            Tentativa::Outra => ligacao = sessao.ligacao.take(),
            Tentativa::Nada => {}
        }
    }
    (FimDeLinha::Lf, nova(FimDeLinha::Lf))
}

/// Leva a sessão até a resposta do primeiro CONSULTAR.
fn tentar(sessao: &mut Sessao<'_>) -> Tentativa {
    let mut limite = Duration::MAX;
    let mut perguntou = false;
    let mut respondeu = false;
    while sessao.contexto.agora() < limite && !sessao.contexto.parada.pedida() {
        let agora = sessao.contexto.agora();
        match sessao.usuario.avancar(agora) {
            Passo::Conectar if sessao.ligacao.is_some() => sessao.usuario.conectou(agora),
            Passo::Conectar => sessao.conectar(),
            Passo::Enviar(Comando::Consultar) if !perguntou => {
                perguntou = true;
                limite = agora + PRAZO;
                sessao.enviar(&Comando::Consultar);
            }
            Passo::Ouvir(ate) => sessao.ouvir(ate.min(limite)),
            // Já decidiu comprar: aqui, só se ouve.
            Passo::Enviar(_) if respondeu => sessao.ouvir(limite),
            _ => break,
        }
        if sessao.usuario.entendeu() {
            return Tentativa::Serve;
        }
        if !respondeu && sessao.usuario.ja_teve_resposta() {
            respondeu = true;
            limite = limite.min(sessao.contexto.agora() + ESPERA_DA_DE_VERDADE);
        }
    }
    match () {
        () if sessao.contexto.parada.pedida() || !sessao.usuario.ja_conectou() => Tentativa::Serve,
        () if respondeu && sessao.ligacao.is_some() => Tentativa::Outra,
        () => Tentativa::Nada,
    }
}
