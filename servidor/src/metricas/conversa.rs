//! Uma conversa com quem lê as métricas: o pouco de HTTP/1.1 que basta. Um pedido, uma resposta, e fecha.
//!
//! O que se lê, o que se escreve e o tempo de cada conversa têm um máximo: quem manda aos poucos, não lê ou manda
//! lixo só ocupa o seu lugar, e por pouco tempo. Como a [conexão](crate::conexao) de um cliente, não devolve erros: o
//! que dá errado acaba a conversa. Não conhece o mio nem os números. Não há persistência, compressão nem TLS.

use std::io::{self, ErrorKind, Read, Write};
use std::time::{Duration, Instant};

/// O maior pedido, com os cabeçalhos.
const PEDIDO_MAXIMO: usize = 4 * 1024;

/// Depois da resposta, quanto se joga fora à espera de que o outro lado feche.
const SOBRA_MAXIMA: usize = 16 * 1024;

/// Quanto dura uma conversa, ao todo.
const PRAZO: Duration = Duration::from_secs(2);

/// O que se pediu.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Pedido {
    /// `GET /metrics`, ou `HEAD`, que quer o mesmo sem o corpo.
    Numeros,
    /// Outro método, no caminho certo.
    OutroMetodo,
    /// Outro caminho.
    OutroCaminho,
    /// Cabeçalhos que não acabam.
    Longo,
    /// Não é HTTP/1.
    Lixo,
}

impl Pedido {
    /// O que `lido` pede, se já se sabe.
    fn entender(lido: &[u8]) -> Option<Self> {
        let longo = (lido.len() > PEDIDO_MAXIMO).then_some(Pedido::Longo);
        let Some(fim) = lido.iter().position(|byte| *byte == b'\n') else { return longo };
        let palavras: Vec<&[u8]> =
            lido[..fim].trim_ascii_end().split(|byte| *byte == b' ').collect();
        let [metodo, caminho, versao] = palavras[..] else { return Some(Pedido::Lixo) };
        if !versao.starts_with(b"HTTP/1.") {
            return Some(Pedido::Lixo);
        }
        let resto = &lido[fim..];
        let completo = |fim: &[u8]| resto.windows(fim.len()).any(|parte| parte == fim);
        if !completo(b"\n\r\n") && !completo(b"\n\n") {
            return longo;
        }
        let caminho = caminho.split(|byte| *byte == b'?').next();
        Some(match (caminho, metodo) {
            (Some(b"/metrics"), b"GET" | b"HEAD") => Pedido::Numeros,
            (Some(b"/metrics"), _) => Pedido::OutroMetodo,
            _ => Pedido::OutroCaminho,
        })
    }

    /// A primeira linha da resposta, e o que se diz a quem não pediu os números.
    fn recusa(self) -> (&'static str, &'static str) {
        match self {
            Pedido::Numeros => ("200 OK", ""),
            Pedido::OutroMetodo => ("405 Method Not Allowed", "só se lê, com GET ou HEAD\n"),
            Pedido::OutroCaminho => ("404 Not Found", "só há /metrics\n"),
            Pedido::Longo => ("431 Request Header Fields Too Large", "pedido longo demais\n"),
            Pedido::Lixo => ("400 Bad Request", "isto não é HTTP/1.1\n"),
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Etapa {
    /// Espera o pedido.
    Ouve,
    /// Entrega a resposta.
    Diz,
    /// Já disse, e fechou o seu lado: fechar com bytes por ler apagaria a resposta do outro.
    Escoa,
    Acabou,
}

/// Uma conexão de quem lê as métricas.
#[derive(Debug)]
pub(crate) struct Conversa<F> {
    fluxo: F,
    etapa: Etapa,
    lido: Vec<u8>,
    saida: Vec<u8>,
    escritos: usize,
    descartados: usize,
    ate: Instant,
}

impl<F: Read + Write> Conversa<F> {
    pub(crate) fn nova(fluxo: F, agora: Instant) -> Self {
        Conversa {
            fluxo,
            etapa: Etapa::Ouve,
            lido: Vec::new(),
            saida: Vec::new(),
            escritos: 0,
            descartados: 0,
            ate: agora + PRAZO,
        }
    }

    /// Quando acaba, faça o outro o que fizer.
    pub(crate) fn ate(&self) -> Instant {
        self.ate
    }

    /// Nada mais há a fazer?
    pub(crate) fn acabou(&self, agora: Instant) -> bool {
        self.etapa == Etapa::Acabou || agora >= self.ate
    }

    /// Lê o que houver, e diz o que se pediu, se já chegou inteiro.
    pub(crate) fn ler(&mut self) -> Option<Pedido> {
        let mut pedaco = [0; 1024];
        while self.etapa == Etapa::Ouve {
            match self.fluxo.read(&mut pedaco) {
                Ok(0) => self.etapa = Etapa::Acabou,
                Ok(lidos) => self.lido.extend_from_slice(&pedaco[..lidos]),
                Err(erro) if self.espera(&erro) => return None,
                Err(_) => {}
            }
            if let Some(pedido) = Pedido::entender(&self.lido) {
                return Some(pedido);
            }
        }
        None
    }

    /// Responde; os números só vão a quem os pediu.
    pub(crate) fn responder(&mut self, pedido: Pedido, numeros: &str) {
        let (situacao, motivo) = pedido.recusa();
        let corpo = if pedido == Pedido::Numeros { numeros } else { motivo };
        let permitido = if pedido == Pedido::OutroMetodo { "Allow: GET, HEAD\r\n" } else { "" };
        self.saida = format!(
            "HTTP/1.1 {situacao}\r\nContent-Type: text/plain; version=0.0.4; charset=utf-8\r\n\
             Content-Length: {}\r\n{permitido}Connection: close\r\n\r\n{}",
            corpo.len(),
            // A um HEAD nunca se manda o corpo, seja qual for a resposta (RFC 9110, 9.3.2).
            if self.lido.starts_with(b"HEAD ") { "" } else { corpo }
        )
        .into_bytes();
        self.etapa = Etapa::Diz;
    }

    /// Escreve o que couber; dito tudo, fecha a escrita e espera o outro lado fechar.
    pub(crate) fn escrever(&mut self, fechar_escrita: fn(&F)) {
        while self.etapa == Etapa::Diz {
            match self.fluxo.write(&self.saida[self.escritos..]) {
                Ok(0) => self.etapa = Etapa::Acabou,
                Ok(escritos) => self.escritos += escritos,
                Err(erro) if self.espera(&erro) => return,
                Err(_) => {}
            }
            if self.escritos == self.saida.len() {
                fechar_escrita(&self.fluxo);
                self.etapa = Etapa::Escoa;
            }
        }
        self.escoar();
    }

    fn escoar(&mut self) {
        let mut lixo = [0; 1024];
        while self.etapa == Etapa::Escoa {
            match self.fluxo.read(&mut lixo) {
                Ok(0) => self.etapa = Etapa::Acabou,
                Ok(lidos) => self.descartados += lidos,
                Err(erro) if self.espera(&erro) => return,
                Err(_) => {}
            }
            if self.descartados > SOBRA_MAXIMA {
                self.etapa = Etapa::Acabou;
            }
        }
    }

    /// É preciso esperar um evento? Um erro de verdade acaba a conversa; o EINTR, nem uma coisa nem outra.
    fn espera(&mut self, erro: &io::Error) -> bool {
        match erro.kind() {
            ErrorKind::WouldBlock => return true,
            ErrorKind::Interrupted => {}
            _ => self.etapa = Etapa::Acabou,
        }
        false
    }
}

#[cfg(test)]
mod testes {
    use super::*;

    #[test]
    fn so_um_get_de_metrics_completo_pede_os_numeros() {
        let pedido = |texto: &str| Pedido::entender(texto.as_bytes());
        let casos = [
            ("GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n", Some(Pedido::Numeros)),
            ("GET /metrics?a=1 HTTP/1.0\n\n", Some(Pedido::Numeros)),
            ("POST /metrics HTTP/1.1\r\n\r\n", Some(Pedido::OutroMetodo)),
            ("GET / HTTP/1.1\r\n\r\n", Some(Pedido::OutroCaminho)),
            ("GET /metricsx HTTP/1.1\r\n\r\n", Some(Pedido::OutroCaminho)),
            ("GET /metrics HTTP/1.1\r\nHost: x\r\n", None),
            ("GET /metr", None),
            ("COMPRAR\n", Some(Pedido::Lixo)),
            ("GET /metrics HTTP/2\r\n", Some(Pedido::Lixo)),
            ("\n", Some(Pedido::Lixo)),
        ];
        for (texto, esperado) in casos {
            assert_eq!(pedido(texto), esperado, "{texto:?}");
        }
        assert_eq!(pedido(&"x".repeat(PEDIDO_MAXIMO + 1)), Some(Pedido::Longo));
        let sem_fim = format!("GET /metrics HTTP/1.1\r\nX: {}", "x".repeat(PEDIDO_MAXIMO));
        assert_eq!(pedido(&sem_fim), Some(Pedido::Longo));
    }
}
