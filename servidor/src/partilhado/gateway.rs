//! O etcd por HTTP: um pedido de cada vez, a um membro de cada vez. Espera; por isso só se usa em uma thread que
//! possa esperar, ou antes de haver laço.
//!
//! Aqui não se repete nada: quem pediu é que sabe se pode pedir outra vez.

use std::io::{BufRead, BufReader, ErrorKind};
use std::time::Duration;

use protocolo::terminal::explicar;
use ureq::Agent;

use super::erro::Erro;
use super::etcd::{
    NAO_E_ETCD, Observado, Resposta, SemResposta, Transacao, ler_observado, ler_resposta, observar,
};

/// Quanto se espera um membro aceitar a conexão.
const PRAZO_DE_CONECTAR: Duration = Duration::from_millis(500);

/// Quanto se espera um membro responder: sem maioria, ele mesmo só desiste depois de sete segundos.
const PRAZO_DE_RESPONDER: Duration = Duration::from_secs(1);

/// Quanto dura uma observação antes de se começar outra, de onde a anterior ficou: um membro que congelou não
/// se distingue de um em que nada acontece.
const UMA_OBSERVACAO: Duration = Duration::from_secs(5);

/// Os membros do cluster, e a qual se pergunta.
#[derive(Debug, Clone)]
pub struct Gateway {
    urls: Vec<String>,
    vez: usize,
    agente: Agent,
}

impl Gateway {
    /// `urls`, separadas por vírgulas.
    ///
    /// # Errors
    ///
    /// Uma delas não é uma URL de HTTP.
    pub fn novo(urls: &str) -> Result<Self, Erro> {
        let urls: Vec<String> =
            urls.split(',').map(|url| url.trim().trim_end_matches('/').to_owned()).collect();
        if let Some(errada) = urls.iter().find(|url| !url.starts_with("http://") || url.len() < 8) {
            return Err(Erro::Url(errada.clone()));
        }
        // Um prazo para tudo (`timeout_global`) abriria uma thread por pedido.
        let agente = Agent::config_builder()
            .timeout_connect(Some(PRAZO_DE_CONECTAR))
            .timeout_send_request(Some(PRAZO_DE_RESPONDER))
            .timeout_send_body(Some(PRAZO_DE_RESPONDER))
            .timeout_recv_response(Some(PRAZO_DE_RESPONDER))
            .timeout_recv_body(Some(PRAZO_DE_RESPONDER))
            .http_status_as_error(false)
            .proxy(None)
            .build();
        Ok(Gateway { urls, vez: 0, agente: agente.into() })
    }

    /// As URLs, como se escrevem.
    pub fn urls(&self) -> String {
        self.urls.join(",")
    }

    fn url(&self, caminho: &str) -> String {
        format!("{}{caminho}", self.urls[self.vez % self.urls.len()])
    }

    /// Quantos membros há a quem perguntar.
    pub fn quantos(&self) -> usize {
        self.urls.len()
    }

    /// Pergunta a um membro; se ele não responde, a próxima pergunta é a outro.
    ///
    /// # Errors
    ///
    /// Não se sabe se valeu, ou o que se queria ler já não existe.
    pub fn pedir(&mut self, transacao: &Transacao) -> Result<Resposta, SemResposta> {
        let duvida = |erro: ureq::Error| SemResposta::Duvida(porque(erro));
        let enviar = || {
            let pedido = self.agente.post(self.url("/v3/kv/txn"));
            let corpo = transacao.em_json().to_string();
            let mut resposta =
                pedido.header("Content-Type", "application/json").send(corpo).map_err(duvida)?;
            let corpo = resposta.body_mut().with_config().limit(u64::MAX).read_to_string();
            ler_resposta(&corpo.map_err(duvida)?)
        };
        let resultado = enviar();
        if resultado.as_ref().is_err_and(SemResposta::em_duvida) {
            self.vez += 1;
        }
        resultado
    }

    /// Observa um prefixo por uns segundos, ou até o membro calar-se, e mostra cada linha a `ver`, que diz se
    /// quer continuar.
    pub fn observar(
        &mut self,
        prefixo: &str,
        depois_de: u64,
        mut ver: impl FnMut(Observado) -> bool,
    ) {
        let pedido = self.agente.post(self.url("/v3/watch"));
        let pedido = pedido.config().timeout_recv_body(Some(UMA_OBSERVACAO)).build();
        let resposta = pedido
            .header("Content-Type", "application/json")
            // Sem isto, um membro sem maioria cala-se em vez de o dizer.
            .header("Grpc-Metadata-hasleader", "true")
            .send(observar(prefixo, depois_de).to_string());
        let Ok(resposta) = resposta else {
            self.vez += 1;
            return std::thread::sleep(PRAZO_DE_CONECTAR);
        };
        let linhas = BufReader::new(resposta.into_body().into_reader()).lines();
        for linha in linhas.map_while(Result::ok) {
            let observado = ler_observado(&linha);
            let acabou = observado.acabou;
            if !ver(observado) {
                return;
            }
            if acabou {
                self.vez += 1;
                return std::thread::sleep(PRAZO_DE_CONECTAR);
            }
        }
    }
}

/// Por que um pedido não teve resposta.
fn porque(erro: ureq::Error) -> String {
    match erro {
        ureq::Error::Timeout(_) => "o tempo esgotou".into(),
        ureq::Error::Io(erro) if erro.kind() == ErrorKind::UnexpectedEof => {
            "a conexão fechou no meio".into()
        }
        // A std não dá ao nome que não existe nem espécie nem número.
        ureq::Error::Io(erro) if erro.to_string().starts_with("failed to lookup") => {
            "o nome não é conhecido".into()
        }
        ureq::Error::HostNotFound => "o nome não é conhecido".into(),
        ureq::Error::Io(erro) => explicar(&erro),
        _ => NAO_E_ETCD.into(),
    }
}
