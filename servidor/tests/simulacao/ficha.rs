//! Uma conexão aos olhos do oráculo: o que ela pediu, o que deve ouvir, o que o balcão sabe dela.
//!
//! Os prazos estão aqui uma segunda vez, escritos do modo mais simples que há. O enquadramento fica em
//! `enquadramento.rs`; a loja e a ordem do turno, em `oraculo.rs`.

use std::borrow::Cow;

use servidor::conexao::{
    LEITURA_POR_TURNO, PRAZO_DA_LINHA, PRAZO_DA_SAIDA, PRAZO_PARA_FECHAR, SAIDA_MAXIMA,
};

use crate::enquadramento::{Enquadramento, Saida, e_id};
use crate::evento::{Bytes, Sinais};
use crate::fluxo::{Cano, Leitura, Rede};
use crate::veredito::{Veredito, exigir};

/// Este o servidor guarda para si; aqui está de novo, como promessa.
pub const PEDIDOS_POR_TURNO: usize = 64;

const ENCERRANDO: &[u8] = b"ERRO: Servidor encerrando\n";
const OCIOSO: &[u8] = b"ERRO: Tempo demais sem nenhum comando\n";

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Pedido {
    Consultar,
    Comprar,
    /// `PEDIDO`, com este id.
    Numerado(Vec<u8>),
    SemId,
    Ajuda,
    Sair,
    Desconhecido,
    LinhaLonga,
    OutroProtocolo,
}

impl Pedido {
    fn de(saida: &Saida) -> Self {
        let Saida::Completa(linha) = saida else {
            return if *saida == Saida::Tls { Pedido::OutroProtocolo } else { Pedido::LinhaLonga };
        };
        match linha.to_ascii_uppercase().as_slice() {
            b"CONSULTAR" => Pedido::Consultar,
            b"COMPRAR" => Pedido::Comprar,
            b"AJUDA" => Pedido::Ajuda,
            b"SAIR" => Pedido::Sair,
            b"PEDIDO" => Pedido::SemId,
            [b'P', b'E', b'D', b'I', b'D', b'O', b' ' | b'\t' | b'\r' | b'\x0C', ..] => {
                match linha[6..].trim_ascii_start() {
                    id if e_id(id) => Pedido::Numerado(id.to_vec()),
                    _ if e_http(linha) => Pedido::OutroProtocolo,
                    _ => Pedido::SemId,
                }
            }
            _ if e_http(linha) => Pedido::OutroProtocolo,
            _ => Pedido::Desconhecido,
        }
    }

    /// A loja: um número, e os textos por extenso.
    pub fn atender(&self, estoque: &mut u64, recusas: &mut u64) -> Cow<'static, [u8]> {
        let fixo: &str = match self {
            Pedido::Consultar => {
                return format!("Estoque atual: {estoque}\n").into_bytes().into();
            }
            Pedido::Comprar | Pedido::Numerado(_) if *estoque > 0 => {
                *estoque -= 1;
                let texto = format!("Compra realizada. Estoque restante: {estoque}\n");
                return texto.into_bytes().into();
            }
            Pedido::Comprar | Pedido::Numerado(_) => {
                *recusas += 1;
                "ERRO: Produto esgotado\n"
            }
            Pedido::Ajuda => {
                "Comandos: CONSULTAR (estoque atual), COMPRAR (uma), PEDIDO id (uma vez por id), AJUDA, SAIR\n"
            }
            Pedido::Sair => "Volte sempre!\n",
            Pedido::Desconhecido => {
                "ERRO: Comando desconhecido. Use CONSULTAR, COMPRAR, PEDIDO, AJUDA ou SAIR\n"
            }
            Pedido::SemId => {
                "ERRO: PEDIDO leva um identificador de 1 a 64 caracteres ASCII visiveis, sem espacos\n"
            }
            Pedido::LinhaLonga => "ERRO: Linha longa demais\n",
            Pedido::OutroProtocolo => {
                "ERRO: Isto parece HTTP ou TLS. Use CONSULTAR, COMPRAR, PEDIDO, AJUDA ou SAIR\n"
            }
        };
        fixo.as_bytes().into()
    }

    pub fn e_o_ultimo(&self) -> bool {
        matches!(self, Pedido::Sair | Pedido::LinhaLonga | Pedido::OutroProtocolo)
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Vida {
    Atendida,
    /// Fechou o seu lado; ouve o que falta e morre.
    Fechou,
    /// O servidor vai fechar e ela já foi lida até o fim; ouve o que falta.
    Dispensada,
    /// Passou do tempo de `--ocioso`: ouve por quê.
    Ociosa,
    /// Disse SAIR, passou do limite ou não coube: ouve o que falta, e mais nada.
    Despedida,
    /// Ouviu tudo e o fim; falta ela fechar o lado dela.
    Escoando {
        desde: u64,
    },
    Encerrada,
}

/// O que se sabe de uma conexão.
#[derive(Debug)]
pub struct Ficha {
    pub nome: usize,
    pub chave: usize,
    pub recusada: bool,
    pub vida: Vida,
    enquadramento: Enquadramento,
    fez_o_ultimo: bool,
    /// O que se leu e ainda não virou pedido.
    pub sobra: Vec<u8>,
    /// A última leitura não encheu o espaço: acabando a sobra, o socket secou.
    leitura_curta: bool,
    disse_a_ultima: bool,
    /// O que ela ainda deve ouvir, a partir de `aceitos`.
    espera: Vec<u8>,
    aceitos: usize,
    /// O que o balcão deve lembrar dos eventos.
    pub sabe: Sinais,
    leu_em: u64,
    disse_em: u64,
    linha_desde: Option<u64>,
    /// O turno da última leitura.
    pub leitura: u64,
    /// Quanto já tinha chegado quando se mandou encerrar.
    pub chegou_antes: usize,
}

impl Ficha {
    pub fn nova(nome: usize, chave: usize, recusa: Option<&[u8]>, agora: u64) -> Self {
        Ficha {
            nome,
            chave,
            recusada: recusa.is_some(),
            vida: if recusa.is_some() { Vida::Despedida } else { Vida::Atendida },
            enquadramento: Enquadramento::default(),
            fez_o_ultimo: false,
            sobra: Vec::new(),
            leitura_curta: false,
            disse_a_ultima: false,
            espera: recusa.unwrap_or_default().to_vec(),
            aceitos: 0,
            sabe: Sinais { gravavel: true, ..Sinais::default() },
            leu_em: agora,
            disse_em: agora,
            linha_desde: None,
            leitura: 0,
            chegou_antes: 0,
        }
    }

    pub fn pendente(&self) -> &[u8] {
        &self.espera[self.aceitos..]
    }

    pub fn ouviu_tudo(&self) -> bool {
        self.aceitos == self.espera.len()
    }

    pub fn se_le(&self) -> bool {
        match self.vida {
            Vida::Atendida => !self.fez_o_ultimo,
            Vida::Escoando { .. } => true,
            _ => false,
        }
    }

    pub fn deve_ser_lida(&self) -> bool {
        (self.sabe.legivel || !self.sobra.is_empty()) && self.se_le() && self.ouviu_tudo()
    }

    pub fn pode_ouvir(&self) -> bool {
        !matches!(self.vida, Vida::Escoando { .. } | Vida::Encerrada)
    }

    pub fn ouve_avisos(&self) -> bool {
        matches!(self.vida, Vida::Atendida | Vida::Fechou | Vida::Dispensada)
    }

    pub fn dizer(&mut self, agora: u64, texto: &[u8]) {
        if self.pode_ouvir() {
            if self.ouviu_tudo() {
                self.disse_em = agora;
            }
            self.espera.extend_from_slice(texto);
        }
    }

    /// Mais estes bytes couberam.
    pub fn ouviu(&mut self, bytes: usize, agora: u64) {
        self.aceitos += bytes;
        self.disse_em = agora;
        if self.ouviu_tudo() {
            self.espera.clear();
            self.aceitos = 0;
            self.dizer_a_ultima(agora);
        }
    }

    /// Quem vai ser fechado sem ter pedido, e já ouviu o resto, ouve por quê; uma vez.
    pub fn dizer_a_ultima(&mut self, agora: u64) {
        if self.espera_a_ultima() {
            self.disse_a_ultima = true;
            let ocioso = self.vida == Vida::Ociosa;
            self.dizer(agora, if ocioso { OCIOSO } else { ENCERRANDO });
        }
    }

    pub fn espera_a_ultima(&self) -> bool {
        let vai_fechar = matches!(self.vida, Vida::Dispensada | Vida::Ociosa);
        vai_fechar && self.ouviu_tudo() && self.sabe.gravavel && !self.disse_a_ultima
    }

    /// Quanto ela guarda, ao menos: por ouvir, por atender, e a linha que não terminou.
    pub fn guarda(&self) -> usize {
        self.pendente().len() + self.sobra.len() + self.enquadramento.guarda()
    }

    /// Uma leitura: o que ela ensina, e os pedidos que completa.
    pub fn leu(&mut self, deu: Leitura, lidos: &[u8], agora: u64, pedir: &mut impl FnMut(Pedido)) {
        let escoa = matches!(self.vida, Vida::Escoando { .. });
        match deu {
            Leitura::Interrompida => {}
            Leitura::Erro => self.vida = Vida::Encerrada,
            Leitura::Fim if escoa => self.vida = Vida::Encerrada,
            Leitura::Fim => {
                self.secou(pedir);
                self.vida = Vida::Fechou;
            }
            Leitura::Seco => {
                self.sabe = Sinais { legivel: false, secar: false, ..self.sabe };
                self.secou(pedir);
            }
            Leitura::Bytes(_) if escoa => {}
            Leitura::Bytes(_) => {
                self.leu_em = agora;
                self.leitura_curta = lidos.len() < LEITURA_POR_TURNO;
                if self.leitura_curta {
                    self.sabe.legivel = self.sabe.secar;
                }
                self.sobra = lidos.to_vec();
                self.servir(agora, pedir);
            }
        }
    }

    /// Os pedidos do que se leu e ainda não se atendeu, até os que um turno atende.
    pub fn servir(&mut self, agora: u64, pedir: &mut impl FnMut(Pedido)) {
        let terminou_alguma = self.sobra.contains(&b'\n');
        let (mut usados, mut pedidos) = (0, 0);
        while usados < self.sobra.len() && pedidos < PEDIDOS_POR_TURNO && !self.fez_o_ultimo {
            let saida = self.enquadramento.byte(self.sobra[usados]);
            usados += 1;
            pedidos += usize::from(saida.is_some());
            self.pediu(saida, pedir);
        }
        self.sobra.drain(..usados);
        if self.fez_o_ultimo {
            return self.sobra.clear();
        }
        if !self.enquadramento.no_meio() {
            self.linha_desde = None;
        } else if self.linha_desde.is_none() || terminou_alguma || pedidos > 0 {
            self.linha_desde = Some(agora);
        }
        if self.sobra.is_empty() && self.leitura_curta {
            self.secou(pedir);
        }
    }

    fn pediu(&mut self, saida: Option<Saida>, pedir: &mut impl FnMut(Pedido)) {
        if let Some(pedido) = saida.as_ref().map(Pedido::de).filter(|_| !self.fez_o_ultimo) {
            self.fez_o_ultimo = pedido.e_o_ultimo();
            pedir(pedido);
        }
    }

    /// O socket secou: a palavra solta vale.
    fn secou(&mut self, pedir: &mut impl FnMut(Pedido)) {
        let saida = self.enquadramento.secou();
        self.pediu(saida, pedir);
        self.linha_desde = self.linha_desde.filter(|_| self.enquadramento.no_meio());
    }

    /// O que vale para ela depois de todo turno.
    pub fn conferir(&self, rede: &Rede) -> Veredito {
        let nome = self.nome;
        if self.vida == Vida::Encerrada {
            return Ok(());
        }
        exigir(
            self.ouviu_tudo() || !self.sabe.gravavel,
            "quem tem o que ouvir ouve no mesmo turno",
            || format!("{nome} ainda espera {}", Bytes(self.pendente())),
        )?;
        exigir(self.pendente().len() <= SAIDA_MAXIMA, "a saída tem teto", || {
            format!("{nome} espera {} bytes", self.pendente().len())
        })?;
        let despede = matches!(self.vida, Vida::Despedida | Vida::Dispensada);
        exigir(!despede || !self.ouviu_tudo(), "quem ouviu a última palavra ouve o fim", || {
            format!("{nome} está {:?}", self.vida)
        })?;
        let sem_anuncio = rede.canos[nome].as_ref().is_some_and(Cano::sem_anuncio);
        exigir(
            !sem_anuncio || !self.se_le() || self.sabe.legivel,
            "nada fica por ler sem um evento que o anuncie",
            || format!("{nome} tem bytes ou um fim de que ninguém mais falará"),
        )
    }

    /// Sossegada, ela não espera mais nada do balcão?
    pub fn conferir_o_sossego(&self, rede: &Rede, encerrando: bool) -> Veredito {
        let Some(cano) = &rede.canos[self.nome] else { return Ok(()) };
        let lida = cano.por_ler() == 0 && !cano.sem_anuncio();
        let sossegada = match self.vida {
            Vida::Atendida => lida && self.ouviu_tudo() && !encerrando,
            Vida::Escoando { .. } => lida,
            _ => false,
        };
        exigir(sossegada, "sem mais faltas, tudo se conclui", || {
            format!("{} está {:?}, com {} bytes por ler", self.nome, self.vida, cano.por_ler())
        })
    }

    /// Algum prazo dela venceu? Então no que ela se torna.
    pub fn venceu(&self, agora: u64, ocioso: Option<u64>) -> Option<Vida> {
        let passou = |desde: u64, prazo: u64| agora.saturating_sub(desde) >= prazo;
        let morreu = match self.vida {
            Vida::Encerrada => false,
            Vida::Escoando { desde } => passou(desde, PRAZO_PARA_FECHAR.as_millis() as u64),
            _ if !self.ouviu_tudo() => passou(self.disse_em, PRAZO_DA_SAIDA.as_millis() as u64),
            _ if self.deve_ser_lida() => return None,
            _ => {
                let prazo_da_linha = PRAZO_DA_LINHA.as_millis() as u64;
                self.linha_desde.is_some_and(|desde| passou(desde, prazo_da_linha))
            }
        };
        let calada = self.vida == Vida::Atendida && self.ouviu_tudo();
        let ociosa =
            calada && ocioso.is_some_and(|prazo| passou(self.leu_em.max(self.disse_em), prazo));
        morreu.then_some(Vida::Encerrada).or(ociosa.then_some(Vida::Ociosa))
    }
}

/// Duas palavras ou mais, e a última diz HTTP/alguma coisa.
fn e_http(linha: &[u8]) -> bool {
    let palavras: Vec<&[u8]> = linha.split(|byte| *byte == b' ').collect();
    palavras.len() > 1 && palavras[palavras.len() - 1].starts_with(b"HTTP/")
}
