//! O que se olha a cada passo, enquanto o cliente vive: o que o console disse de novo, e se o relógio de quem olha
//! acordou a tempo. Só anota.
//!
//! Um relógio que devia acordar de vinte em vinte milissegundos, e acorda um segundo depois, diz que nesta máquina quem
//! dorme não acorda: o cliente, que também dorme, não se acusa do que demorou então.

use std::time::Duration;

use protocolo::mensagem::AVISO;

use super::visto::{Atraso, Contagem};

/// De quanto em quanto tempo se olha.
pub const PASSO: Duration = Duration::from_millis(20);

/// Um atraso menor que este é o de qualquer sistema.
const ATRASO_COMUM: Duration = Duration::from_millis(10);

/// Como se fala em aviso, com qualquer texto.
const FALA_EM_AVISO: &[u8] = b"aviso";

/// O que se viu até agora.
#[derive(Debug)]
pub struct Olhar {
    exatos: Contador,
    parecidos: Contador,
    /// Quanto do console já se leu, em bytes.
    pub lidos: usize,
    anterior: Option<Duration>,
    /// Quantas vezes o AVISO aparecia, cada vez que isso mudou.
    pub contagens: Vec<Contagem>,
    /// Quando não se acordou a tempo.
    pub atrasos: Vec<Atraso>,
}

/// Conta quantas vezes um texto aparece no que vai chegando, em maiúsculas ou minúsculas.
#[derive(Debug)]
struct Contador {
    texto: Vec<u8>,
    /// O fim do que chegou, que pode ser o começo do texto.
    resto: Vec<u8>,
    vezes: usize,
}

impl Olhar {
    /// Antes de olhar pela primeira vez.
    pub fn novo() -> Self {
        // Quem mostra só o que vem depois dos dois pontos também mostra o AVISO.
        let texto = AVISO.split_once(": ").map_or(AVISO, |(_, texto)| texto);
        Olhar {
            exatos: Contador::de(texto.trim_end_matches('!').as_bytes()),
            parecidos: Contador::de(FALA_EM_AVISO),
            lidos: 0,
            anterior: None,
            contagens: Vec::new(),
            atrasos: Vec::new(),
        }
    }

    /// O que o console disse de novo, lido entre estes dois instantes. O AVISO que apareceu enquanto se lia é de depois
    /// do primeiro e de antes do segundo.
    pub fn olhar(&mut self, comecou: Duration, acabou: Duration, novo: &[u8]) {
        let devia = self.anterior.map(|anterior| anterior + PASSO);
        if let Some(de) = devia.filter(|devia| comecou > *devia + ATRASO_COMUM) {
            self.atrasos.push(Atraso { de, ate: comecou });
        }
        self.lidos += novo.len();
        let mudou = [&mut self.exatos, &mut self.parecidos].map(|contador| contador.ler(novo));
        if mudou.contains(&true) {
            let desde = self.anterior.unwrap_or_default();
            let (exatos, parecidos) = (self.exatos.vezes, self.parecidos.vezes);
            self.contagens.push(Contagem { desde, quando: acabou, exatos, parecidos });
        }
        self.anterior = Some(comecou);
    }
}

impl Contador {
    fn de(texto: &[u8]) -> Self {
        Contador { texto: texto.to_ascii_lowercase(), resto: Vec::new(), vezes: 0 }
    }

    /// Apareceu mais alguma vez?
    fn ler(&mut self, novo: &[u8]) -> bool {
        let antes = self.vezes;
        self.resto.extend(novo.iter().map(u8::to_ascii_lowercase));
        let mut lido = 0;
        while let Some(onde) =
            self.resto[lido..].windows(self.texto.len()).position(|janela| janela == self.texto)
        {
            self.vezes += 1;
            lido += onde + self.texto.len();
        }
        // Uma letra a menos que o texto: o que fica não pode já o conter.
        let fica = (self.resto.len() - lido).min(self.texto.len().saturating_sub(1));
        self.resto.drain(..self.resto.len() - fica);
        self.vezes > antes
    }
}

#[cfg(test)]
mod testes {
    use super::*;

    const fn ms(n: u64) -> Duration {
        Duration::from_millis(n)
    }

    fn contagens(olhar: &Olhar) -> Vec<(usize, usize)> {
        olhar.contagens.iter().map(|c| (c.exatos, c.parecidos)).collect()
    }

    #[test]
    fn o_aviso_se_conta_inteiro_ou_aos_pedacos_e_uma_vez_so() {
        let mut olhar = Olhar::novo();
        let ditos = [
            "[1] AVISO: O estoque aca",
            "bou de ESGOTAR!\n",
            "o estoque acabou de esgotar",
            "nada",
            "AVI",
            "SO",
        ];
        for dito in ditos {
            olhar.olhar(ms(0), ms(1), dito.as_bytes());
        }
        assert_eq!(contagens(&olhar), [(0, 1), (1, 1), (2, 1), (2, 2)]);
        assert_eq!(olhar.lidos, ditos.concat().len());
        let mut de_uma_vez = Olhar::novo();
        de_uma_vez.olhar(ms(0), ms(1), ditos.concat().as_bytes());
        assert_eq!(contagens(&de_uma_vez), [(2, 2)]);
    }

    #[test]
    fn o_que_apareceu_fica_entre_duas_olhadas() {
        let mut olhar = Olhar::novo();
        olhar.olhar(ms(100), ms(101), b"");
        olhar.olhar(ms(120), ms(500), b"aviso");
        let entre = olhar.contagens.last().map(|c| (c.desde, c.quando));
        assert_eq!(entre, Some((ms(100), ms(500))));
    }

    #[test]
    fn so_e_atraso_o_que_passa_do_comum() {
        let mut olhar = Olhar::novo();
        for comecou in [0, 25, 50, 570, 590] {
            olhar.olhar(ms(comecou), ms(comecou + 1), b"");
        }
        assert_eq!(olhar.atrasos, [Atraso { de: ms(70), ate: ms(570) }]);
    }
}
