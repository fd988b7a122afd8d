//! A primeira conversa: que fim de linha este servidor entende?
//!
//! Quem chega primeiro descobre para todos, com o CONSULTAR que ia mesmo mandar: nunca compra. Se o
//! servidor entende LF, como quase todos, a conversa segue sem que ele note nada. Senão, a história desta
//! tentativa se esquece, e começa outra: na mesma conexão, se ele respondeu algo (quem responde não guarda
//! um pedaço do comando), ou em uma nova, se calou.
//!
//! Por isso cada vida começa aqui ([`viver`]); o resto dela é da sessão.

use std::time::Duration;

use protocolo::Comando;

use super::evento::{Canal, Evento};
use super::sessao::{Contexto, Sessao};
use super::usuario::{Passo, Usuario};
use crate::conversa::escuta::ESPERA_DA_DE_VERDADE;
use crate::conversa::fim_de_linha::FimDeLinha;
use crate::historia::vivido::Historia;

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

/// Vive a sessão de um usuário, do começo ao fim, e devolve a sua história. `chegar` dá o usuário, que
/// chega depois do instante que se lhe diz: o que a multidão gastou até saber como falar com o servidor.
pub fn viver(
    numero: usize,
    chegar: impl Fn(Duration) -> Usuario,
    contexto: &Contexto,
    canal: Canal,
) -> Historia {
    let nova = |usuario, fim_de_linha| {
        Sessao::nova(numero, usuario, contexto, canal.clone(), fim_de_linha)
    };
    let mut ja_conversa = None;
    let descobrir = || {
        // Quem descobre não espera a sua vez de chegar: os outros é que esperam por ele.
        let (achado, sessao) = descobrir(|fim| nova(chegar(Duration::ZERO), fim));
        if achado != FimDeLinha::Lf {
            let _ = canal.send((numero, contexto.agora(), Evento::FimDeLinha(achado)));
        }
        ja_conversa = Some(sessao);
        (achado, contexto.agora())
    };
    let (fim_de_linha, desde) = *contexto.fim_de_linha.get_or_init(descobrir);
    ja_conversa.unwrap_or_else(|| nova(chegar(desde), fim_de_linha)).viver()
}

/// O primeiro fim de linha que o servidor entende, e a sessão que já conversa assim. Na dúvida, LF.
fn descobrir<'a>(nova: impl Fn(FimDeLinha) -> Sessao<'a>) -> (FimDeLinha, Sessao<'a>) {
    let mut ligacao = None;
    for fim_de_linha in FimDeLinha::TENTADOS {
        let mut sessao = nova(fim_de_linha);
        if let Some((servidor, aberta)) = ligacao.take() {
            sessao.usuario.fica_em(servidor);
            sessao.ligacao = Some(aberta);
        }
        match tentar(&mut sessao) {
            Tentativa::Serve => return (fim_de_linha, sessao),
            Tentativa::Outra => {
                let servidor = sessao.usuario.servidor();
                ligacao = sessao.ligacao.take().map(|aberta| (servidor, aberta));
            }
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
            Passo::Receber if !perguntou => sessao.usuario.pedir_sem_chegada(),
            Passo::Receber => sessao.ouvir(limite),
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
    if sessao.contexto.parada.pedida() || !sessao.usuario.ja_conectou() {
        Tentativa::Serve
    } else if respondeu && sessao.ligacao.is_some() {
        Tentativa::Outra
    } else {
        Tentativa::Nada
    }
}

#[cfg(test)]
mod testes {
    use super::*;
    use crate::conversa::escuta::Estilo;
    use crate::historia::guarda::{Guarda, LOTE};
    use crate::historia::vivido::Falha;
    use crate::multidao::painel::Placar;
    use crate::multidao::roteiro::{Regras, Roteiro};
    use crate::multidao::usuario::Usuario;
    use crate::opcoes::Faixa;
    use socket2::{Domain, Socket, Type};
    use std::net::SocketAddr;
    use std::sync::{Arc, Mutex, OnceLock, mpsc};
    use std::time::Instant;

    /// Onde `localhost` tem mais de um endereço e só um deles é do servidor que ainda vai abrir.
    #[test]
    fn um_endereco_impossivel_nao_esconde_o_que_ainda_pode_abrir() {
        let fechada = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
        fechada.bind(&SocketAddr::from(([127, 0, 0, 1], 0)).into()).unwrap();
        let recusa = fechada.local_addr().unwrap().as_socket().unwrap();
        // O endereço de difusão não aceita TCP: falha de outro jeito, em qualquer máquina.
        let impossivel = SocketAddr::from(([255, 255, 255, 255], 1));
        for enderecos in [vec![recusa, impossivel], vec![impossivel, recusa]] {
            let contexto = Contexto {
                inicio: Instant::now(),
                enderecos: vec![enderecos],
                espera: Duration::ZERO,
                fim_de_linha: OnceLock::from((FimDeLinha::Lf, Duration::ZERO)),
                detalhado: false,
                placar: Placar::default(),
                parada: Arc::default(),
                guarda: Mutex::new(Guarda::nova(1, LOTE, &[], None)),
                recusou_pedidos: OnceLock::new(),
                fila: None,
                estilo: Estilo::default(),
            };
            let fixa = |valor| Faixa { de: valor, ate: valor };
            let regras = Regras {
                semente: 1,
                ciclos: Faixa { de: 1, ate: 1 },
                decisao: fixa(Duration::ZERO),
                escuta: fixa(Duration::ZERO),
                acelerar: 1.0,
            };
            let usuario = |chegada| Usuario::novo(1, Roteiro::novo(regras, 1), chegada, false);
            let historia = viver(1, usuario, &contexto, mpsc::channel().0);
            let [(_, falha)] = &historia.falhas[..] else { panic!("{historia:?}") };
            assert_eq!(*falha, Falha::SemConexao("conexão recusada".into()));
        }
    }
}
